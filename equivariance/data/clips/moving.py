"""Videos without a download: a patch of one photograph moves over another; what its class is, only its motion tells.

Eight classes: to the left, right, up, down; growing, shrinking; turning left, right. Size, angle, place, speed and what
is seen are drawn alike for all of them. Each photograph is in one split.

With `placement=biased` place tells the class in training, and what it tells is wrong in the test: the first class of
each pair moves in the upper half, the second in the lower, at the test the other way round. It is Red-Green in videos.

With `event=class` there are two classes, early and late: each video is shown twice, at the beginning and at the end of
blank (black) time as long again, with a border of more blank frames before and after. It is the quadrants in time.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from equivariance.config.clips import Moving
from equivariance.data.clips.films import Films, Held
from equivariance.data.photos import photograph
from equivariance.data.splits import SPLITS

CLASSES = ("left", "right", "up", "down", "grows", "shrinks", "turns left", "turns right")
WHEN = ("early", "late")
# Of each class: columns and rows that a patch moves, powers of its size, and turns.
MOTIONS = torch.tensor(
    [[-1, 0, 0, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0], [0, 0, 0, -1], [0, 0, 0, 1]]
)
FASTEST = torch.tensor([0.5, 0.5, 0.7, 1.6])  # of each, from the clip's beginning to its end; shares of the side first
SLOWEST = 0.6  # share of the fastest
PHOTOS = {
    "train": ("chelsea.png", "coffee.png", "brick.png", "grass.png"),
    "validation": ("camera.png", "gravel.png"),
    "test": ("astronaut.png", "rocket.jpg"),
}
ZOOM = (1.0, 4.0)  # pixels of a photograph a pixel of the video
SIZE = (0.8, 1.25)  # of a patch at the middle of its motion
AROUND = 0.25  # share of the side around the middle in which random paths have their own
FINE = 2  # samples a pixel along rows and columns
AT_ONCE = 64  # videos


def load(data: Moving) -> dict[str, Films]:
    """The videos of each split; with `placement=biased` also `alike`, the test's with places as in training.

    Raises: UserError: a photograph that the wheel should ship is not there.
    """
    return _load(data.model_dump_json())


@lru_cache(4)
def _load(told: str) -> dict[str, Films]:
    """The runs of one worker share them."""
    data = Moving.model_validate_json(told)
    found = {split: _films(data, split, split == "test") for split in SPLITS}
    return found | ({"alike": _films(data, "test", False)} if data.placement == "biased" else {})


def _films(data: Moving, split: str, swapped: bool) -> Films:
    asked = data.event == "class"
    count = getattr(data, split) // (2 if asked else 1)
    random = np.random.default_rng([data.seed, SPLITS.index(split)])
    labels = torch.arange(count) % len(CLASSES)
    photos = [np.asarray(photograph(name)) for name in PHOTOS[split]]
    # The patch is of another photograph than what it moves over.
    first = random.integers(len(photos), size=count)
    other = (first + random.integers(1, len(photos), size=count)) % len(photos)
    grounds, patches = (
        torch.stack([_crop(photos[i], side, random) for i in which])
        for which, side in ((first, data.side), (other, data.patch))
    )
    paths = _paths(data, labels, swapped, random)
    parts = (part.split(AT_ONCE) for part in (grounds, patches, paths))
    pixels = torch.cat([rendered(*part) for part in zip(*parts, strict=True)])
    if asked:
        pixels, labels = in_blank_time(pixels, data.border), torch.arange(2 * count) % 2
    names = tuple(f"{split}/{n}" for n in range(len(labels)))
    return Films(Held(pixels), labels, names, WHEN if asked else CLASSES)


def in_blank_time(videos: Tensor, border: int) -> Tensor:
    """Each video early and then late in black time: uint8 [n, T, 3, h, w] to [2n, 2T + 2 border, 3, h, w]."""
    count, length = videos.shape[:2]
    found = videos.new_zeros(2 * count, 2 * (length + border), *videos.shape[2:])
    for late in (0, 1):
        start = border + late * length
        found[late::2, start : start + length] = videos
    return found


def _crop(photo: np.ndarray, side: int, random: np.random.Generator) -> Tensor:
    """Float [3, side, side], 0..255."""
    limit = min(photo.shape[:2])
    size = int(min(limit, round(side * random.uniform(*ZOOM))))
    top, left = (int(random.integers(length - size + 1)) for length in photo.shape[:2])
    shrunk = Image.fromarray(photo[top : top + size, left : left + size]).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    return torch.from_numpy(np.array(shrunk)).permute(2, 0, 1).float()


def _paths(data: Moving, labels: Tensor, swapped: bool, random: np.random.Generator) -> Tensor:
    """Column and row of the patch's middle in pixels, size in pixels, and angle: float [n, T, 4]."""
    count = len(labels)
    middle = np.full((count, 2), 0.5)
    spread = random.uniform(-AROUND, AROUND, (count, 2))
    if data.placement != "centre":
        middle += spread
    if data.placement == "biased":
        lower = (labels.numpy() % 2 == 1) ^ swapped
        middle[:, 1] = np.where(lower, 0.5 + AROUND, 0.5 - AROUND) + spread[:, 1] / 4
    size = random.uniform(np.log(SIZE[0]), np.log(SIZE[1]), count) + np.log(data.patch)
    angle = random.uniform(0, 2 * np.pi, count)
    start = torch.from_numpy(np.column_stack([data.side * middle, size, angle])).float()
    speed = torch.from_numpy(random.uniform(SLOWEST, 1, count)).float()
    unit = torch.tensor([data.side, data.side, 1, 1]) * FASTEST
    moved = (MOTIONS[labels] * unit * speed[:, None])[:, None] * _progress(data)[None, :, None]
    paths = start[:, None] + moved
    return torch.cat([paths[..., :2], paths[..., 2:3].exp(), paths[..., 3:]], 2)


def _progress(data: Moving) -> Tensor:
    """How much of the motion is done at each frame, from -1/2 to 1/2, float [T]."""
    last = data.frames - 1
    half = last // 2
    start, end = {"early": (0, half), "late": (last - half, last)}.get(data.event, (0, last))
    return (torch.arange(data.frames).clamp(start, end) - start) / max(end - start, 1) - 0.5


def rendered(grounds: Tensor, patches: Tensor, paths: Tensor) -> Tensor:
    """Videos of patches over grounds.

    Args:
        grounds: float [n, 3, side, side], 0..255.
        patches: float [n, 3, p, p], 0..255.
        paths: float [n, T, 4], see `_paths`.
    Returns: uint8 [n, T, 3, side, side].
    """
    (count, length), side = paths.shape[:2], grounds.shape[3]
    along = (torch.arange(FINE * side) + 0.5) / FINE
    rows, columns = torch.meshgrid(along, along, indexing="ij")
    x, y, size, angle = (part[..., None, None] for part in paths.unbind(2))  # [n, T, 1, 1]
    right, down = columns - x, rows - y
    across = (right * angle.cos() + down * angle.sin()) / (size / 2)
    along_patch = (down * angle.cos() - right * angle.sin()) / (size / 2)
    grid = torch.stack([across, along_patch], 4).flatten(0, 1)  # [n * T, rows, columns, 2], -1..1 on the patch
    seen = F.grid_sample(patches.repeat_interleave(length, 0), grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(3)[:, None]
    ground = F.interpolate(grounds, scale_factor=FINE).repeat_interleave(length, 0)
    frames = F.avg_pool2d(torch.where(inside, seen, ground), FINE)
    return frames.round().clamp(0, 255).byte().unflatten(0, (count, length))
