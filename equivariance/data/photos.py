"""Crops of the photographs that come with scikit-image: real pictures without a download."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from equivariance.data.folder import shrink
from equivariance.data.splits import SPLITS, Picture
from equivariance.errors import UserError

if TYPE_CHECKING:
    from equivariance.config.data import Pictures

# Photographs whose licence scikit-image states as CC0 or public domain.
PHOTOS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"),
    *("camera.png", "brick.png", "grass.png", "gravel.png"),
)
# Side of a crop in source pixels before it is resized: from the picture's own size up to this many times.
ZOOM = 3.0
# Standard deviation of a crop's pixels (0..255) under which it is drawn again: plain sky shows nothing.
FLAT = 8.0


def photos(data: Pictures, side: int, skipped: list[str]) -> Iterator[Picture]:
    """Square crops, resized, without end.

    Each photograph is cut into three strips across its longer side, one strip a split, so that no pixel is in two
    splits. Within a strip, place and size of a crop are random and crops may overlap.

    Args:
        data: its seed is that of the choice of crops.
        side: pixels a side of the pictures.
        skipped: nothing is.
    """
    return crops(np.random.default_rng(data.seed), side, SPLITS, data.resize)


def crops(
    generator: np.random.Generator, side: int, splits: tuple[str, ...], resize: str = "antialias"
) -> Iterator[Picture]:
    """Crops of each photograph in turn, without end.

    Args:
        generator: of their places and sizes.
        side: pixels a side of the pictures.
        splits: those for which each photograph gives a crop, from the split's own strip.
        resize: see `folder.shrink`.
    """
    images = [photograph(name) for name in PHOTOS]
    for number in count():
        image, name = images[number % len(images)], PHOTOS[number % len(PHOTOS)]
        for split in splits:
            yield _crop(_strip(image, SPLITS.index(split)), name, split, side, generator, resize)


def photograph(name: str) -> Image.Image:
    """A picture that the scikit-image wheel ships, in colour.

    Raises: UserError: it is not there, as in installations that have left the data out.
    """
    with wheel_file(name).open("rb") as file:
        return Image.open(file).convert("RGB")


def wheel_file(name: str) -> Path:
    """A data file of the scikit-image wheel; raises as `photograph`."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / name
    if not path.is_file():
        raise UserError(f"data: scikit-image is installed without {name}; pip install --force-reinstall scikit-image")
    return path


def _strip(image: Image.Image, index: int) -> Image.Image:
    width, height = image.size
    if width >= height:
        return image.crop((width * index // 3, 0, width * (index + 1) // 3, height))
    return image.crop((0, height * index // 3, width, height * (index + 1) // 3))


def _crop(strip: Image.Image, name: str, split: str, side: int, generator: np.random.Generator, resize: str) -> Picture:
    limit = min(*strip.size)
    size = int(generator.integers(min(side, limit), min(int(ZOOM * side), limit) + 1))
    left = int(generator.integers(0, strip.size[0] - size + 1))
    top = int(generator.integers(0, strip.size[1] - size + 1))
    box = (left, top, left + size, top + size)
    pixels = shrink(strip.crop(box), side, resize)
    if pixels.std() < FLAT:
        return _crop(strip, name, split, side, generator, resize)
    return Picture(pixels, f"{name}, {split} strip, {box}", split=split)
