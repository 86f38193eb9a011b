"""The tiles along one axis, and what is kept of each."""

from __future__ import annotations

from dataclasses import dataclass

from equivariance.errors import UserError
from equivariance.tiles.axis import Axis


@dataclass(frozen=True)
class Span:
    """A tile along one axis.

    Args:
        start: pixel of the image with which it starts.
        end: pixel after its last.
        first: unit of the whole output with which the part that is kept starts.
        last: unit after the last of it.
        origin: unit of the whole output at which the tile's own output starts.
        previous: the span before it; None: it is the first.
    """

    start: int
    end: int
    first: int
    last: int
    origin: int
    previous: Span | None = None

    @property
    def length(self) -> int:
        """Pixels."""
        return self.end - self.start

    @property
    def kept(self) -> slice:
        """What is kept of the tile's own output."""
        return slice(self.first - self.origin, self.last - self.origin)


Tile = tuple[Span, ...]  # one an axis


def spans(run: Axis, length: int, side: int, grid: int, size: int, units: int, final: int) -> Tile:
    """The tiles along an axis, each as far from the last as what is kept allows.

    Args:
        run: how many units of a tile's output are not kept at its ends.
        length: of a tile, in pixels.
        side: of the image, in pixels.
        grid: pixels; tiles start at multiples.
        size: units of a tile's output.
        units: of the whole output.
        final: pixel at which the last tile starts.
    Raises: UserError: tiles of which too little is kept to go on.
    """
    if length >= side:
        return (Span(0, side, 0, units, 0),)
    found = [Span(0, length, 0, size - run.tail, 0)]
    while found[-1].end < side:
        at = found[-1]
        start = int((at.last - run.head) * run.stride // grid) * grid
        if start <= at.start:
            needs = -(-run.before // grid) * grid + grid + -(-run.after // grid) * grid
            raise UserError(f"tile={length}: nothing is left of it without its halo; allowed: from {needs}")
        if start >= final:
            found.append(Span(final, side, at.last, units, int(final / run.stride), at))
        else:
            origin = int(start / run.stride)
            found.append(Span(start, start + length, at.last, origin + size - run.tail, origin, at))
    return tuple(found)
