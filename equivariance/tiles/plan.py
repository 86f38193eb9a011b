"""Which tiles an image is run in, what is kept of each, and the proof that it is the whole image's."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from equivariance.errors import UserError
from equivariance.reach import Sight
from equivariance.tiles.axis import Axis, first_change, needed
from equivariance.tiles.given import Dropped
from equivariance.tiles.output import Selected
from equivariance.tiles.spans import Span, Tile, spans
from equivariance.tiles.trace import Trace, Unfollowed, trace


@dataclass(frozen=True)
class Plan:
    """The tiles of an image.

    Args:
        whole: the trace of the whole image.
        spans: along each axis, in order.
        runs: for each axis and length of a tile along it a trace with such a side.
    """

    whole: Trace
    spans: tuple[Tile, ...]
    runs: dict[tuple[int, int], Trace]

    @property
    def tiles(self) -> list[Tile]:
        """All of them, the last axis moving fastest."""
        return list(product(*self.spans))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole output, [C, *space]."""
        return (self.whole.channels, *(s.size for s in self.whole.sights))

    def owned(self, statistic: int, tile: Tile) -> tuple[slice, ...]:
        """The part of the map of a statistic that counts for a tile: what is right in it and in no tile before it.

        Raises: UserError: some units are right in no tile.
        """
        found = []
        for axis, span in enumerate(tile):
            before = self._right(statistic, axis, span.previous)[1] if span.previous else 0
            first, last = self._right(statistic, axis, span)
            if first > before:
                raise UserError("tiles leave out a part of a map of which a statistic is taken; allowed: larger tiles")
            sight = self._sight(statistic, axis, span)
            origin = int(span.start / sight.stride)
            found.append(slice(before - origin, max(last, before) - origin))
        return tuple(found)

    def _sight(self, statistic: int, axis: int, span: Span) -> Sight:
        return self.runs[axis, span.length].statistics[statistic].sights[axis]

    def _right(self, statistic: int, axis: int, span: Span) -> tuple[int, int]:
        """The units of the whole image's map that a tile has right."""
        sight, all_of_it = self._sight(statistic, axis, span), self.whole.statistics[statistic].sights[axis].size
        origin = int(span.start / sight.stride)
        last = all_of_it if span.end == self.whole.sides[axis] else origin + sight.size - sight.tail
        return (origin + sight.head if span.start else 0), last


def plan(
    network: Selected, channels: int, sides: tuple[int, ...], tile: tuple[int, ...], dropped: Dropped | None = None
) -> Plan:
    """The tiles of an image, proved to be exact, or with a halo of one's own.

    Args:
        network: the model and which output is the map.
        channels: of the image.
        sides: of the image, in pixels.
        tile: sides of a tile, halo included.
        dropped: pixels at the ends of tiles that are not kept; None: those that are not exact, and tiles may be smaller
            where no more of them are then needed.
    Raises: UserError: tiles off the grid or too small, or the network samples at other places in a tile than in the
        whole image.
    """
    lengths = tuple(min(n, side) for n, side in zip(tile, sides, strict=True))
    inner = _traced(network, lengths, channels)
    grid = inner.grid()
    whole = _traced(network, sides, channels, f"; allowed: {_multiples(grid)}")
    for n, side, step in zip(lengths, sides, grid, strict=True):
        if n < side and n % step:
            raise UserError(f"tile={n}: off the grid; allowed: multiples of {step}")
    if dropped is None:
        inner = _evened(network, channels, sides, inner, grid)
    outer = _last(network, channels, sides, inner, grid)
    _check(whole, inner, outer, grid)
    found = []
    for axis, (run, side) in enumerate(zip(_axes(inner, dropped), sides, strict=True)):
        sizes = inner.sights[axis].size, whole.sights[axis].size
        found.append(spans(run, inner.sides[axis], side, grid[axis], *sizes, side - outer.sides[axis]))
    runs = {(axis, t.sides[axis]): t for t in (outer, inner) for axis in range(len(sides))}
    return Plan(whole, tuple(found), runs)


def _axes(inner: Trace, dropped: Dropped | None) -> list[Axis]:
    """What is kept of a tile, an axis."""
    if dropped is None and inner.statistics:
        dropped = needed(inner)  # what is kept of tiles then covers these maps too
    found = [Axis.of(sight, side) for sight, side in zip(inner.sights, inner.sides, strict=True)]
    return found if dropped is None else [a.with_halo(*d) for a, d in zip(found, dropped, strict=True)]


def _evened(network: Selected, channels: int, sides: tuple[int, ...], inner: Trace, grid: tuple[int, ...]) -> Trace:
    """The trace of the smallest tile of which no more are needed: the last ones overlap no more than the others."""
    lengths = []
    axes = zip(_axes(inner, None), inner.sights, inner.sides, sides, grid, strict=True)
    for run, sight, length, side, step in axes:
        moves = int((sight.size - run.tail - run.head) * run.stride // step) * step  # from one tile to the next
        number = -(-(side - length) // moves) if moves > 0 else 0
        even = -(-(side + number * (length - moves)) // (number + 1))
        lengths.append(min(length, -(-even // step) * step) if number > 0 else length)
    if tuple(lengths) == inner.sides:
        return inner
    try:
        found = trace(network, tuple(lengths), channels)
    except UserError:  # too small for this network
        return inner
    return found if _ends(found) == _ends(inner) else inner


def _ends(run: Trace) -> list[tuple[int, int]]:
    """How many units at the ends are not the whole image's, of each map that has to be."""
    return [(s.head, s.tail) for sights in (run.sights, *(t.sights for t in run.statistics)) for s in sights]


def _traced(network: Selected, sides: tuple[int, ...], channels: int, allowed: str = "") -> Trace:
    try:
        return trace(network, sides, channels)
    except Unfollowed as unfollowed:
        raise UserError(f"an image of {list(sides)} pixels: {unfollowed.reasons[-1]}{allowed}") from None


def _multiples(grid: tuple[int, ...]) -> str:
    return f"images whose sides are multiples of {list(grid)}, padded so before"


def _last(network: Selected, channels: int, sides: tuple[int, ...], inner: Trace, grid: tuple[int, ...]) -> Trace:
    """The trace of the last tile: shorter than the others if need be, or longer where a shorter one is too small."""
    over = [(side - n) % g for n, side, g in zip(inner.sides, sides, grid, strict=True)]
    if not any(over):
        return inner
    longer = tuple(min(n + r, side) for n, r, side in zip(inner.sides, over, sides, strict=True))
    try:
        shorter = tuple(n + (r - g if r else 0) for n, r, g in zip(inner.sides, over, grid, strict=True))
        found = trace(network, shorter, channels)
    except UserError:
        return _traced(network, longer, channels)
    wrong = any(o.head > i.head for o, i in zip(found.sights, inner.sights, strict=True))
    return _traced(network, longer, channels) if wrong else found


def _check(whole: Trace, inner: Trace, outer: Trace, grid: tuple[int, ...]) -> None:
    """Raises UserError where a call does otherwise in the whole image than in a tile."""
    changed = first_change(whole, inner) or first_change(whole, outer)
    if changed is None:
        starts = [a - b for a, b in zip(whole.sides, outer.sides, strict=True)]
        for step, part in zip(whole.course, outer.course, strict=True):
            for s, t, start in zip(step.sights, part.sights, starts, strict=False):
                if s.stride and s.size != t.size + Fraction(start) / Fraction(s.stride):
                    changed = changed or step.call
    if changed:
        fits = all(side % step == 0 for side, step in zip(whole.sides, grid, strict=True))
        way = "no tiles are exact" if fits else f"allowed: {_multiples(grid)}"
        raise UserError(f"{changed} does otherwise in an image of {list(whole.sides)} pixels than in a tile; {way}")
