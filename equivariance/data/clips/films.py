"""Videos with a class each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


class Frames(Protocol):
    """Videos, in memory or in files."""

    def length(self, number: int) -> int:
        """Frames of a video."""

    def frames(self, number: int, indices: Sequence[int]) -> Tensor:
        """Some of its frames, uint8 [frames, 3, h, w]."""


@dataclass(frozen=True)
class Films:
    """The videos of one split.

    Args:
        videos: n of them.
        labels: int64 [n], indices into `classes`.
        names: of each video, the same wherever the data set lies.
        classes: names, in order; the same in all splits.
        skipped: a line for each file that was left out, with the reason.
    """

    videos: Frames
    labels: Tensor
    names: tuple[str, ...]
    classes: tuple[str, ...]
    skipped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Held:
    """Videos in memory.

    Args:
        pixels: uint8 [n, T, 3, h, w].
    """

    pixels: Tensor

    def length(self, number: int) -> int:
        """The same for all."""
        return self.pixels.shape[1]

    def frames(self, number: int, indices: Sequence[int]) -> Tensor:
        """Some of its frames, uint8 [frames, 3, h, w]."""
        return self.pixels[number, list(indices)]
