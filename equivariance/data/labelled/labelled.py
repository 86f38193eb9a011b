"""Pictures with a class each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.data.labelled.files import Files


class Pixels(Protocol):
    """Pictures of one size, in memory (a tensor is one) or read when they are asked for."""

    def __len__(self) -> int:
        """Pictures."""

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """Those of indices int64 [b]: float [b, 3, side, side], in [0, 1]."""


@dataclass(frozen=True)
class Labelled:
    """The pictures of one split.

    Args:
        pixels: n of them; indexed by int64 [b], they are float [b, 3, side, side], in [0, 1].
        labels: int64 [n], indices into `classes`.
        names: of each picture, the same wherever the data set lies.
        classes: names, in order; the same in all splits.
        skipped: a line for each picture that was left out, with the reason.
        look: of some pictures, by index, each one's flaw or None, in a split whose files were not looked at yet; None:
            all of them were.
        turns: int64 [n], the turn at which each was drawn from all there are, ascending; those left out have turns,
            too, so that a picture has the same one whoever was looked at. None: 0 to n - 1.
    """

    pixels: Pixels
    labels: Tensor
    names: tuple[str, ...]
    classes: tuple[str, ...]
    skipped: list[str] = field(default_factory=list)
    look: Callable[[list[int]], list[str | None]] | None = None
    turns: Tensor | None = None

    def turn(self, chosen: Tensor) -> Tensor:
        """The turns of some pictures, int64 [b] of their indices [b]."""
        return chosen if self.turns is None else self.turns[chosen]

    def flaws(self, chosen: list[int]) -> list[str | None]:
        """Why each of some pictures cannot be used; None: it can."""
        return self.look(chosen) if self.look else [None] * len(chosen)

    def __len__(self) -> int:
        return len(self.labels)

    def whole(self, number: int) -> Tensor:
        """One picture before it was cut to its square, float [3, h, w], in [0, 1]; the square where that is all."""
        if isinstance(self.pixels, Files):
            return self.pixels.whole(number)
        return self.pixels[torch.tensor([number])][0]


def resized(pixels: Tensor, side: int) -> Tensor:
    """Float [n, 1 or 3, h, w], in [0, 1], to [n, 3, side, side]."""
    found = F.interpolate(pixels, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return found.clamp(0, 1).expand(-1, 3, -1, -1)
