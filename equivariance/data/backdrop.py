"""Objects on an empty canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from equivariance.config import Arch


@dataclass(frozen=True)
class Backdrop:
    """The empty image on which objects lie.

    Args:
        side: pixels a side.
        mean: of each channel, pixels in [0, 1].
        std: of each channel.
        background: `black` or `mean`.
    """

    side: int
    mean: Tensor
    std: Tensor
    background: str

    @classmethod
    def of(cls, arch: Arch, side: int, background: str) -> Backdrop:
        """That of images normalised as a network takes them."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (arch.mean, arch.std))
        return cls(side, mean, std, background)

    @property
    def colour(self) -> tuple[float, ...]:
        """Its colour, normalised, of each channel."""
        empty = torch.zeros_like(self.mean) if self.background == "mean" else -self.mean / self.std
        return tuple(empty.flatten().tolist())

    def images(self, pixels: Tensor, moved: Tensor) -> Tensor:
        """Each object in the middle, moved.

        Args:
            pixels: float [n, 3, h, w], in [0, 1].
            moved: int64 [n, 2], rows and columns.
        Returns: float [n, 3, side, side], normalised.
        """
        objects, (height, width) = (pixels - self.mean) / self.std, pixels.shape[2:]
        out = torch.tensor(self.colour)[None, :, None, None].repeat(len(pixels), 1, self.side, self.side)
        for image, (y, x), shown in zip(out, moved.tolist(), objects, strict=True):
            top, left = (self.side - height) // 2 + y, (self.side - width) // 2 + x
            image[:, top : top + height, left : left + width] = shown
        return out
