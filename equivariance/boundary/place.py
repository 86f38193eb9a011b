"""Where maps lie, and what all maps of one forward pass share."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from equivariance.boundary.rules import Rule, Sides
from equivariance.boundary.sampling import STRIDED, Sampling
from equivariance.errors import UserError

Index = tuple[int, ...]  # one number for each axis of space


@dataclass
class Passage:
    """What all maps of one forward pass share.

    Args:
        rule: the convolution type.
        sampling: how strided layers sample.
        still: axes of space that the rule leaves as published, time for one; maps neither grow nor shrink along them.
        phases: absolute position in pixels of index 0, by axis and total stride. The first layer that reaches a stride
            sets it and later layers follow, so a projection shortcut samples where its main branch does.
        chosen: the same for `polyphase`, int64 [N]: each image has a position of its own.
    """

    rule: Rule
    sampling: Sampling = STRIDED
    still: tuple[int, ...] = ()
    phases: dict[tuple[int, int], int] = field(default_factory=dict)
    chosen: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def at(self, axis: int, stride: int) -> int:
        """Absolute position of index 0 at a stride that a layer has reached."""
        return self.phases.setdefault((axis, 1), 0) if stride == 1 else self.phases[axis, stride]

    def phase(self, axis: int, here: int, stride: int, wished: int) -> int:
        """Offset of output 0 in input entries, for a layer that goes from total stride `here` to `here * stride`."""
        if stride == 1:
            return 0
        start = self.at(axis, here)
        absolute = self.phases.setdefault((axis, here * stride), start + here * wished)
        phase, rest = divmod(absolute - start, here)
        if rest:
            raise self.apart(here * stride)
        return phase

    def apart(self, stride: int) -> UserError:
        """Two branches reach a stride at positions that no offset joins."""
        return UserError(f"conv={self.rule.name}: two branches reach stride {stride} out of phase")


@dataclass(frozen=True)
class Place:
    """Where a map lies.

    Args:
        start: index of its first entry along each axis on the published network's grid; negative where it has grown.
        total_stride: pixels from one entry to the next, along each axis.
        margins: explicit padding not yet applied, before and after each axis.
        lowest: whether that padding is of what no maximum takes, instead of zeros.
        pending: the stride still to be taken along each axis; empty: none.
    """

    start: Index
    total_stride: Index
    margins: Sides
    lowest: bool = False
    pending: Index = ()
