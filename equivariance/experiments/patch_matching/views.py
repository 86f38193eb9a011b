"""Corresponding patches without a download, from what the scikit-image wheel ships.

- Photographs (CC0 and public domain), of which each point is seen under known homographies, brightness and noise; some
  photographs are trained on, others tested on.
- A real stereo pair with measured disparity (Middlebury 2014, Motorcycle: Scharstein et al. 2014), of which each point
  that both cameras see has two patches; the rows above are trained on, those below tested on. Corresponding points lie
  in one row of both pictures, so no pixel of either is in both.
"""

from __future__ import annotations

import zipfile
from functools import lru_cache
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.data.photos import photograph, wheel_file
from equivariance.errors import UserError
from equivariance.experiments.patch_matching.patches import SIDE, Patches

PHOTOS = {
    "train": ("chelsea.png", "coffee.png", "camera.png", "brick.png", "grass.png"),
    "test": ("astronaut.png", "rocket.jpg", "gravel.png"),
}
# Rows of the stereo pair, as shares of its height.
ROWS = {"train": (0.0, 0.6), "test": (0.6, 1.0)}
VIEWS = 6  # of each point of a photograph, as in HPatches
STEP = 20  # pixels between neighbouring points
REACH = 64  # pixels from a point of a photograph to its edge: no view looks beyond
FLAT = 8.0  # standard deviation (0..255) under which a patch shows nothing, and its point is left out
AT_ONCE = 256  # patches that are interpolated at once
# Ranges of what is drawn for each view, uniformly.
TURN = 0.35  # radians, to either side
ZOOM = (0.55, 1.0)  # pixels of the photograph a pixel of the patch
STRETCH = 0.2  # of either axis, as a share
TILT = 0.15  # by which the size of things changes from the middle of a patch to its edge
SHIFT = 2.0  # pixels of the patch, as a keypoint's place is never exact
GAIN, LIGHT, NOISE = (0.6, 1.4), 25.0, 8.0  # contrast; brightness and largest standard deviation of the noise, of 255


@lru_cache(4)
def views(split: str, seed: int) -> Patches:
    """All points of a split; the runs of one worker share them.

    Args:
        split: `train` or `test`.
        seed: of points and views.
    Raises: UserError: a picture that the wheel should ship is not there.
    """
    random = np.random.default_rng([seed, split == "test"])
    found = _stereo(split, random)
    for name in PHOTOS[split]:
        found = found + _photograph(_grey(name), random)
    return found


def _grey(name: str) -> np.ndarray:
    return np.asarray(photograph(name).convert("L"), np.float32)


def _photograph(image: np.ndarray, random: np.random.Generator) -> Patches:
    centres = _grid(range(REACH, image.shape[1] - REACH), range(REACH, image.shape[0] - REACH), random)
    places = np.repeat(centres, VIEWS, 0)
    seen = sampled(image, places, _homographies(len(places), random))
    gain, light = random.uniform(*GAIN, len(seen)), random.uniform(-LIGHT, LIGHT, len(seen))
    noise = random.normal(0, 1, seen.shape) * random.uniform(0, NOISE, len(seen))[:, None, None]
    mean = seen.mean((1, 2), keepdims=True)
    return _kept(mean + gain[:, None, None] * (seen - mean) + light[:, None, None] + noise, VIEWS)


def _homographies(count: int, random: np.random.Generator) -> np.ndarray:
    """Random ones, float [count, 3, 3]: pixels of a patch, from its middle, to pixels around its point, (x, y, 1)."""
    turn, zoom = random.uniform(-TURN, TURN, count), random.uniform(*ZOOM, count)
    stretch = zoom[:, None] * (1 + random.uniform(-STRETCH, STRETCH, (count, 2)) / 2)
    found = np.tile(np.eye(3), (count, 1, 1))
    found[:, 0, :2] = stretch * np.stack([np.cos(turn), -np.sin(turn)], 1)
    found[:, 1, :2] = stretch * np.stack([np.sin(turn), np.cos(turn)], 1)
    found[:, :2, 2] = random.uniform(-SHIFT, SHIFT, (count, 2)) * zoom[:, None]
    found[:, 2, :2] = random.uniform(-TILT, TILT, (count, 2)) / (SIDE / 2)
    return found


def _stereo(split: str, random: np.random.Generator) -> Patches:
    left, right = _grey("motorcycle_left.png"), _grey("motorcycle_right.png")
    disparity, half = _disparity(), SIDE // 2
    height, width = left.shape
    top, bottom = (round(share * height) for share in ROWS[split])
    centres = _grid(range(half, width - half), range(top + half, bottom - half), random)
    shifts = disparity[centres[:, 1], centres[:, 0]]
    fit = np.isfinite(shifts) & (centres[:, 0] - np.where(np.isfinite(shifts), shifts, 0) >= half)
    fit &= seen_by_both(disparity)[centres[:, 1], centres[:, 0]]
    centres, shifts = centres[fit], shifts[fit]
    other = centres - np.stack([shifts, np.zeros_like(shifts)], 1)
    still = np.tile(np.eye(3), (len(centres), 1, 1))
    both = [sampled(image, where, still) for image, where in ((left, centres), (right, other))]
    return _kept(np.concatenate([both[0][:, None], both[1][:, None]], 1).reshape(-1, SIDE // 2, SIDE // 2), 2)


def _disparity() -> np.ndarray:
    """Columns by which a pixel of the left picture lies further left in the right one, float [H, W]; inf: not known."""
    path = wheel_file("motorcycle_disp.npz")
    try:
        with np.load(path) as archive:
            return archive["arr_0"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"data: {path.name} of scikit-image is damaged; pip install --force-reinstall") from error


def seen_by_both(disparity: np.ndarray) -> np.ndarray:
    """Which pixels of the left picture no nearer thing hides in the right one, bool [H, W]: of those that fall on one
    column, the one with the largest disparity is the nearest.
    """
    rows, columns = np.nonzero(np.isfinite(disparity))
    shifts = disparity[rows, columns]
    landed = np.round(columns - shifts).astype(int)
    nearest = np.full((len(disparity), disparity.shape[1] + 1), -np.inf)
    inside = landed >= 0
    np.maximum.at(nearest, (rows[inside], landed[inside]), shifts[inside])
    seen = np.zeros(disparity.shape, bool)
    seen[rows[inside], columns[inside]] = nearest[rows[inside], landed[inside]] <= shifts[inside] + 1
    return seen


def sampled(image: np.ndarray, centres: np.ndarray, homographies: np.ndarray) -> np.ndarray:
    """Patches of SIDE pixels a side by bilinear interpolation, then means of 2×2 pixels.

    Args:
        image: float [H, W], which all places lie in.
        centres: float or int [n, 2], x then y, in pixels.
        homographies: float [n, 3, 3], see `_homographies`.
    Returns: float32 [n, SIDE / 2, SIDE / 2].
    """
    size = torch.tensor([image.shape[1] - 1, image.shape[0] - 1])
    along = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    pixels, whole = torch.stack([x, y, torch.ones_like(x)]).flatten(1), torch.from_numpy(image)[None, None]
    chunks: list[Tensor] = []
    parts = (torch.from_numpy(array).float().split(AT_ONCE) for array in (centres, homographies))
    for centre, matrix in zip(*parts, strict=True):
        seen = matrix @ pixels  # [b, 3, SIDE * SIDE]
        places = centre[:, None] + (seen[:, :2] / seen[:, 2:]).transpose(1, 2)
        grid = (places / size * 2 - 1).unflatten(1, (SIDE, SIDE))
        patches = F.grid_sample(whole.expand(len(grid), -1, -1, -1), grid, padding_mode="border", align_corners=True)
        chunks.append(F.avg_pool2d(patches, 2)[:, 0])
    return torch.cat(chunks).numpy()


def _grid(columns: range, rows: range, random: np.random.Generator) -> np.ndarray:
    """Points STEP apart, from a random first one, int64 [n, 2], x then y."""
    x, y = (r[int(random.integers(STEP)) :: STEP] for r in (columns, rows))
    return np.array([(a, b) for b, a in product(y, x)], np.int64).reshape(-1, 2)


def _kept(seen: np.ndarray, each: int) -> Patches:
    """The points of which every view shows something; `each` views of one point follow one another."""
    pixels = seen.round().clip(0, 255).astype(np.uint8).reshape(-1, each, SIDE // 2, SIDE // 2)
    pixels = pixels[(pixels.std((2, 3)) >= FLAT).all(1)]
    return Patches(pixels.reshape(-1, SIDE // 2, SIDE // 2), np.repeat(np.arange(len(pixels)), each))
