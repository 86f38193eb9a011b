"""What tiles need along each axis, and what two images are treated alike in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from math import ceil

from equivariance.reach import Pixels, Sight
from equivariance.reach.sight import whole
from equivariance.tiles.trace import Trace


@dataclass(frozen=True)
class Axis:
    """The halo along one axis.

    Args:
        stride: pixels from one unit of the output to the next.
        lead: units that the output lies behind the image's start.
        growth: units that the output has more than the image has strides.
        head: units at the start of a tile that are not the whole image's.
        tail: units at the end that are not.
    """

    stride: Pixels
    lead: int
    growth: int
    head: int
    tail: int

    @classmethod
    def of(cls, sight: Sight, side: int) -> Axis:
        """Of the output of an image of this side."""
        growth = int(sight.size - Fraction(side) / Fraction(sight.stride))
        return cls(sight.stride, -(growth // 2), growth, sight.head, sight.tail)

    @property
    def before(self) -> int:
        """Pixels needed before what is kept."""
        return max(0, ceil((self.lead + self.head) * self.stride))

    @property
    def after(self) -> int:
        """Pixels needed after what is kept."""
        return max(0, ceil((self.tail - self.growth - self.lead) * self.stride))

    @property
    def offset(self) -> Pixels:
        """Pixel of the first unit."""
        return whole(self.lead * self.stride)

    def with_halo(self, before: int, after: int) -> Axis:
        """The same axis with so many pixels dropped at the ends of tiles instead, right or not."""
        head = ceil(before / self.stride) - self.lead
        tail = ceil(after / self.stride) + self.growth + self.lead
        return Axis(self.stride, self.lead, self.growth, max(0, head), max(0, tail))


def needed(run: Trace) -> tuple[tuple[int, int], ...]:
    """Pixels before and after what is kept of a tile, an axis: of the output, and of maps of which statistics are."""
    found = []
    for axis, side in enumerate(run.sides):
        maps = (run.sights, *(s.sights for s in run.statistics))
        each = [Axis.of(sights[axis], side) for sights in maps]
        found.append((max(a.before for a in each), max(a.after for a in each)))
    return tuple(found)


def first_change(one: Trace, other: Trace) -> str | None:
    """The first call that does otherwise in one image than in another: sees other pixels, or is given other numbers."""
    for a, b in zip_longest(one.course, other.course):
        if a is None or b is None or (a.call, a.numbers) != (b.call, b.numbers):
            return str((a or b).call)
        if any(
            (s.stride, s.first, s.last) != (t.stride, t.first, t.last) for s, t in zip(a.sights, b.sights, strict=False)
        ):
            return str(a.call)
    return None
