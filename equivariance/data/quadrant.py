"""The quadrant task: each picture once at the upper left (class 0) and once at the bottom right (class 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quadrant:
    """Where pictures lie and on what.

    Args:
        picture: pixels a side.
        canvas: pixels a side, without the border.
        border: pixels of background on each of the four sides.
        background: float [3], the normalised colour of everything that is not picture.
    Source: Kayhan & van Gemert 2020, section 3.1.
    """

    picture: int
    canvas: int
    border: int
    background: tuple[float, float, float]

    @property
    def side(self) -> int:
        """Pixels a side of the whole image."""
        return self.canvas + 2 * self.border

    def corner(self, label: int) -> int:
        """Row and column of a picture's upper left pixel."""
        return self.border + label * (self.canvas - self.picture)

    def images(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Dense images.

        Args:
            pictures: float [n, 3, picture, picture], normalised.
            labels: int64 [n], 0 or 1.
        Returns: float [n, 3, side, side].
        """
        colour = torch.tensor(self.background, dtype=pictures.dtype, device=pictures.device)
        images = colour[None, :, None, None].repeat(len(pictures), 1, self.side, self.side)
        for label in (0, 1):
            at, chosen = self.corner(label), labels == label
            images[chosen, :, at : at + self.picture, at : at + self.picture] = pictures[chosen]
        return images


def normalised(background: str, mean: list[float], std: list[float]) -> tuple[float, float, float]:
    """The colour `mean` (0 after normalisation) or `black` (0 before it), per channel."""
    if background == "mean":
        return 0.0, 0.0, 0.0
    red, green, blue = (-m / s for m, s in zip(mean, std, strict=True))
    return red, green, blue
