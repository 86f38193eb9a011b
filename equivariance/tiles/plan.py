"""Which tiles an image is run in, what is kept of each, and the proof that it is the whole image's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from numbers import Integral
from typing import Any

from equivariance.errors import UserError
from equivariance.reach import Sight
from equivariance.tiles.axis import Axis, first_change, needed
from equivariance.tiles.halo import Halo
from equivariance.tiles.output import Selected
from equivariance.tiles.trace import Trace, Unfollowed, trace


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


Dropped = tuple[tuple[int, int], ...]  # pixels before and after, an axis


def plan(
    network: Selected, channels: int, sides: tuple[int, ...], tile: tuple[int, ...], dropped: Dropped | None = None
) -> Plan:
    """The tiles of an image, proved to be exact, or with a halo of one's own.

    Args:
        network: the model and which output is the map.
        channels: of the image.
        sides: of the image, in pixels.
        tile: sides of a tile, halo included.
        dropped: pixels at the ends of tiles that are not kept; None: those that are not exact.
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
    outer = _last(network, channels, sides, inner, grid)
    _check(whole, inner, outer, grid)
    if dropped is None and inner.statistics:
        dropped = needed(inner)  # what is kept of tiles then covers these maps too
    spans = []
    for axis, side in enumerate(sides):
        run = Axis.of(inner.sights[axis], lengths[axis])
        run = run if dropped is None else run.with_halo(*dropped[axis])
        sizes = inner.sights[axis].size, whole.sights[axis].size
        spans.append(_spans(run, lengths[axis], side, grid[axis], *sizes, side - outer.sides[axis]))
    runs = {(axis, t.sides[axis]): t for t in (outer, inner) for axis in range(len(sides))}
    return Plan(whole, tuple(spans), runs)


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
        raise UserError(
            f"{changed} does otherwise in an image of {list(whole.sides)} pixels than in a tile;"
            f" allowed: {_multiples(grid)}"
        )


def _spans(run: Axis, length: int, side: int, grid: int, size: int, units: int, final: int) -> Tile:
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


def dropped(halo: int | Sequence[int] | Halo, dims: int) -> Dropped:
    """A halo as pixels before and after, an axis.

    Raises: UserError: it is negative, or of another number of axes.
    """
    if isinstance(halo, Halo):
        if len(halo.before) != dims:
            raise UserError(f"halo: of {len(halo.before)} axes; allowed: of {dims}, as the image has")
        return tuple(zip(halo.before, halo.after, strict=True))
    return tuple((each, each) for each in pixels("halo", halo, dims, 0))


def pixels(name: str, given: Any, dims: int, least: int) -> tuple[int, ...]:
    """Pixels an axis, of one number or one an axis.

    Raises: UserError: others than whole numbers from the least on, or not as many as axes.
    """
    each = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,) * dims
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in each)
    if len(each) != dims or not whole or min(each) < least:
        raise UserError(f"{name}={given}: allowed: pixels from {least}, one number or {dims}")
    return tuple(int(n) for n in each)
