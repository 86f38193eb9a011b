"""Pictures from a folder laid out as root/<class>/<picture>."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from equivariance.data.splits import Picture
from equivariance.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
# The side to which the authors' code brings a picture before it shrinks it, in pixels.
RELEASED_SIDE = 224


def files(root: Path) -> dict[Path, int]:
    """The pictures of a folder: the first of each class in sorted order, then the second of each, and so on.

    Returns: For each picture the number of its class plus how many of that class come before it.
    Raises: UserError: no such folder, one that cannot be read, or no pictures in it.
    """
    if not root.is_dir():
        raise UserError(f"data.root={root}: no such folder")
    try:
        classes = [c for c in sorted(root.iterdir()) if c.is_dir() and not c.name.startswith(".")] or [root]
        listed = [[f for f in sorted(c.rglob("*")) if f.suffix.lower() in SUFFIXES and f.is_file()] for c in classes]
    except OSError as error:
        raise UserError(f"data.root={root}: cannot be read ({error})") from error
    found = {
        file: number + turn
        for turn, files in enumerate(zip_longest(*listed))
        for number, file in enumerate(files)
        if file is not None
    }
    if not found:
        raise UserError(f"data.root={root}: no pictures there; allowed: <class>/<picture> as {', '.join(SUFFIXES)}")
    return found


def fingerprint(root: Path, count: int) -> str:
    """A digest of what a folder holds.

    Args:
        root: the folder.
        count: so many pictures, the first that `files` lists, count by their content; the others, which stand in for
            unreadable ones, by name and size.
    Raises: UserError: no such folder, or no pictures in it.
    """
    digest = hashlib.sha256()
    for number, file in enumerate(files(root)):
        digest.update(f"{file.relative_to(root)}\0{file.stat().st_size}\n".encode())
        if number < count and os.access(file, os.R_OK):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def pictures(root: Path, side: int, crop: float, resize: str, skipped: list[str]) -> Iterator[Picture]:
    """Reads pictures one by one, in the order of `files`.

    Args:
        root: the folder.
        side: pixels a side of the result.
        crop: side of the central crop as a share of the shorter side.
        resize: `antialias`, or `released`: to 224 pixels and then bilinear without anti-aliasing.
        skipped: gets a line for each file that cannot be read.
    """
    for file, turn in files(root).items():
        try:
            with Image.open(file) as image:
                square = _central(image.convert("RGB"), crop)
            pixels = shrink(square, side, resize)
        except (
            OSError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
        ) as error:  # what PIL raises for truncated and foreign files
            skipped.append(f"{file.relative_to(root)}: {error}")
            continue
        yield Picture(pixels, str(file.relative_to(root)), turn)


def shrink(image: Image.Image, side: int, resize: str) -> np.ndarray:
    """A square picture as uint8 [side, side, 3], resized in the stated way."""
    return _released(image, side) if resize == "released" else _antialiased(image, side)


def _central(image: Image.Image, crop: float) -> Image.Image:
    size = max(1, round(min(image.size) * crop))
    left, top = (image.size[0] - size) // 2, (image.size[1] - size) // 2
    return image.crop((left, top, left + size, top + size))


def _antialiased(image: Image.Image, side: int) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _released(image: Image.Image, side: int) -> np.ndarray:
    large = image.resize((RELEASED_SIDE, RELEASED_SIDE), Image.Resampling.BILINEAR)
    stacked = torch.from_numpy(np.array(large)).permute(2, 0, 1)[None].float()  # [side, side, 3] -> [1, 3, side, side]
    small = F.interpolate(stacked, size=(side, side), mode="bilinear", align_corners=False, antialias=False)
    return small[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
