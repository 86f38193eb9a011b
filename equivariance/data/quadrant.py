"""The quadrant task: each picture once at the upper left (class 0) and once at the bottom right (class 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equivariance.canvas import Canvas, place


@dataclass(frozen=True)
class Quadrant:
    """Where pictures lie and on what.

    Args:
        picture: pixels a side.
        canvas: pixels a side, without the border.
        border: pixels of background on each of the four sides.
        background: float [C], the normalised colour of everything that is not picture.
        tolerance: of the engine, see `Canvas`; 0 is exact.
    Source: Kayhan & van Gemert 2020, section 3.1.
    """

    picture: int
    canvas: int
    border: int
    background: tuple[float, ...]
    tolerance: float = 0.0

    @property
    def side(self) -> int:
        """Pixels a side of the whole image."""
        return self.canvas + 2 * self.border

    def at(self, border: int) -> Quadrant:
        """The same with another border."""
        return replace(self, border=border)

    def bare(self) -> Quadrant:
        """The same without border."""
        return self.at(0)

    def corner(self, label: int) -> int:
        """Row and column of a picture's upper left pixel."""
        return self.border + label * (self.canvas - self.picture)

    def images(self, pictures: Tensor, labels: Tensor) -> Canvas:
        """One image a label.

        Args:
            pictures: float [n, 3, picture, picture], normalised.
            labels: int64 [N], 0 or 1; image i shows picture i modulo n, so N is a multiple of n.
        Returns: A canvas that stands for float [N, 3, side, side]; `.dense()` is the ordinary tensor.
        """
        corners = [(self.corner(label), self.corner(label)) for label in labels.tolist()]
        return place(pictures, self.side, corners, self.background, self.tolerance)

    def both(self, pictures: Tensor) -> Canvas:
        """Every picture at the upper left, then every picture at the bottom right: 2n images."""
        return self.images(pictures, torch.arange(2).repeat_interleave(len(pictures)))


def normalised(background: str, mean: list[float], std: list[float]) -> tuple[float, float, float]:
    """The colour `mean` (0 after normalisation) or `black` (0 before it), per channel."""
    if background == "mean":
        return 0.0, 0.0, 0.0
    red, green, blue = (-m / s for m, s in zip(mean, std, strict=True))
    return red, green, blue


def with_mirrored(pictures: Tensor) -> Tensor:
    """Pictures [n, 3, h, w], then each mirrored left-right: [2n, 3, h, w]."""
    return torch.cat([pictures, pictures.flip(3)])
