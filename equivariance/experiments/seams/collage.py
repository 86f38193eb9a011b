"""Collages of real photographs, as pictures and as volumes: which photograph a pixel is of is embedded in them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
from torch import Tensor

from equivariance.data.photos import PHOTOS, crops

CROPS = 6  # of each photograph, that training collages are made of
# Regions a photograph has in a collage, at random places.
REGIONS = 2
SPLITS = ("train", "validation", "test")  # strips of photographs that have no pixel in common


class Collages:
    """Collages, drawn one after another from a few crops of each photograph.

    Args:
        generator: of places and crops.
        split: whose strips of the photographs.
        sides: pixels along the axes of space, two or three.
        kept: crops of each photograph.
    """

    def __init__(self, generator: np.random.Generator, split: str, sides: tuple[int, ...], kept: int) -> None:
        self.generator, self.sides = generator, sides
        self.depth = sides[0] if len(sides) == 3 else 1
        found = islice(crops(generator, max(sides[-2:]) + self.depth - 1, SPLITS), kept * len(PHOTOS) * len(SPLITS))
        self.pictures = np.stack([picture.pixels for picture in found if picture.split == split])  # crops, H, W, 3

    def draw(self) -> tuple[Tensor, Tensor]:
        """One collage: each pixel is of the photograph whose region it lies in, cells around random points.

        A volume's planes are views of photographs that move by a pixel from one to the next.

        Returns: Pixels float32 [3, *sides] in [0, 1], and the number of the photograph of each, int64 [*sides].
        """
        places, count = np.indices(self.sides), len(PHOTOS)
        nearest, labels = np.full(self.sides, np.inf), np.zeros(self.sides, np.int64)
        for number, point in enumerate(self.generator.random((count * REGIONS, len(self.sides))) * self.sides):
            away = sum(np.square(axis - at) for axis, at in zip(places, point, strict=True))
            labels, nearest = np.where(away < nearest, number % count, labels), np.minimum(away, nearest)
        which = np.arange(count) + count * self.generator.integers(0, len(self.pictures) // count, count)
        moved = places[0] if self.depth > 1 else 0
        pixels = self.pictures[which[labels], places[-2] + moved, places[-1] + moved]  # *sides, 3
        return torch.from_numpy(np.moveaxis(pixels, -1, 0) / np.float32(255)), torch.from_numpy(labels)
