"""Pictures that fill the image: what is shown is a crop, and a shift is a crop at another place, with other content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from equivariance.experiments.shift.config import ShiftRun


@dataclass(frozen=True)
class Crops:
    """Crops of larger pictures.

    Args:
        side: pixels a side of a crop.
        mean: of each channel, pixels in [0, 1].
        std: of each channel.
    Source: Kayhan & van Gemert 2020, section 4.1: 224 pixels of 288.
    """

    side: int
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, config: ShiftRun) -> Crops:
        """Those of a run."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (config.arch.mean, config.arch.std))
        return cls(config.experiment.canvas, mean, std)

    @property
    def colour(self) -> tuple[float, ...]:
        """What `conv=unbounded` takes to lie around a crop: the mean colour, which is 0 when normalised."""
        return (0.0,) * len(self.mean)

    def images(self, pixels: Tensor, moved: Tensor) -> Tensor:
        """The middle crop of each picture, moved.

        Args:
            pixels: float [n, 3, h, w], in [0, 1].
            moved: int64 [n, 2], rows and columns, by which the crop moves.
        Returns: float [n, 3, side, side], normalised.
        """
        height, width = pixels.shape[2:]
        corners = moved + torch.tensor([(height - self.side) // 2, (width - self.side) // 2])
        shown = [p[:, y : y + self.side, x : x + self.side] for p, (y, x) in zip(pixels, corners.tolist(), strict=True)]
        return (torch.stack(shown) - self.mean) / self.std
