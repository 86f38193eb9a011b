"""Red-Green: is the red box left of the green one? In training, and only there, the answer also shows in the height.

Source: Kayhan & van Gemert 2020, section 3.2; every pixel as in their released generator (utils_red_green.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from equivariance.data.splits import SPLITS

if TYPE_CHECKING:
    from equivariance.experiments.red_green.config import RedGreenData

SIDE = 32  # pixels of an image
BOX = 4  # pixels a side of a box
GAP = 5  # columns from the left box's first to the right box's first, at least
LEFTS = range(10)  # first column of the left box
RIGHTS = range(28)  # first column of the right box
JITTER = range(-4, 4)  # rows around a class's height
HEIGHTS = (7, 23)  # of class 0 (red is left, above) and of class 1 (green is left, below)
# class, then first column and row of the left box, then of the right box
Boxes = tuple[int, int, int, int, int]


def boxes(seed: int) -> Iterator[Boxes]:
    """An endless stream of images, classes in turn, in the order in which the authors draw their numbers.

    The right box, column and row, is drawn again until it is GAP columns away.

    Args:
        seed: of a generator of its own; the authors' data are those of 1988.
    """
    generator = np.random.RandomState(seed)  # the legacy generator: its numbers never change
    label = 0
    while True:
        x1, y1 = _draw(generator, LEFTS), HEIGHTS[label] + _draw(generator, JITTER)
        x2 = y2 = -GAP
        while x2 - x1 < GAP:
            x2, y2 = _draw(generator, range(x1, RIGHTS.stop)), HEIGHTS[label] + _draw(generator, JITTER)
        yield label, x1, y1, x2, y2
        label = 1 - label


def deal(data: RedGreenData) -> dict[str, list[Boxes]]:
    """The images of the three splits.

    Args:
        data: sizes, seed, and `splits`: `disjoint` gives each split a seed of its own and no image that an earlier
            split has; `shared` gives all the same seed, so that validation and test repeat the training images.
    Returns: For each of SPLITS its images, classes in turn.
    """
    sizes = {"train": data.train, "validation": data.validation, "test": data.test}
    if data.splits == "shared":
        return {split: _take(boxes(data.seed), sizes[split], set()) for split in SPLITS}
    dealt: dict[str, list[Boxes]] = {}
    seen: set[Boxes] = set()
    for number, split in enumerate(SPLITS):
        dealt[split] = _take(boxes(data.seed + number), sizes[split], seen)
        seen |= set(dealt[split])
    return dealt


def paint(images: list[Boxes], shift: int = 0) -> Tensor:
    """The pixels: boxes of value 1 on 0, red in channel 0, green in channel 1.

    Args:
        images: from `boxes`.
        shift: rows by which class 0 is moved down and class 1 up; 16 puts each class at the other's height.
    Returns: float32 [n, 3, SIDE, SIDE].
    """
    pixels = torch.zeros(len(images), 3, SIDE, SIDE)
    for image, (label, x1, y1, x2, y2) in zip(pixels, images, strict=True):
        down = -shift if label else shift
        for channel, x, y in ((label, x1, y1 + down), (1 - label, x2, y2 + down)):
            image[channel, y : y + BOX, x : x + BOX] = 1
    return pixels


def labels(images: list[Boxes]) -> Tensor:
    """The classes, int64 [n]: 0 where red is left."""
    return torch.tensor([image[0] for image in images])


def _draw(generator: np.random.RandomState, among: range) -> int:
    return int(generator.randint(among.start, among.stop))


def _take(stream: Iterator[Boxes], count: int, taken: set[Boxes]) -> list[Boxes]:
    """The next images that are not taken, classes in turn: where one is, the next of its class stands in."""
    found: list[Boxes] = []
    while len(found) < count:
        image = next(stream)
        if image not in taken and image[0] == len(found) % 2:
            found.append(image)
    return found
