"""Integer geometry of one compressed axis; no tensors.

An axis is a tuple of multiplicities: entry i stands for `axis[i]` equal rows (or columns), one after the other. The
rows of an empty canvas are `(1144,)`; padding by 3 on either side gives `(3, 1144, 3)`. Everything is cached by value.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Axis = tuple[int, ...]
Indices = npt.NDArray[np.int64]

OUTSIDE = -1  # label of a position in the padding
BEYOND = -2  # label of a position that ceil_mode adds after the padding; it counts for nothing


@dataclass(frozen=True)
class Kernel:
    """How a kernel slides along one axis: its size and steps, padding before and after, rows that ceil_mode adds."""

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    extra: int = 0

    @property
    def span(self) -> int:
        """Rows from the first to the last tap, inclusive."""
        return (self.size - 1) * self.dilation + 1

    def outputs(self, length: int) -> int:
        """How many placements fit an axis of `length` rows."""
        return (length + self.before + self.after + self.extra - self.span) // self.stride + 1


@dataclass(frozen=True)
class Slid:
    """An axis after a kernel slid over it: labels to gather, outputs to keep, their multiplicities, first positions."""

    gather: Indices
    keep: Indices
    axis: Axis
    first: Indices


@dataclass(frozen=True)
class Reach:
    """Outputs [lo, hi) that may see a stretch of the input, and the inputs [first, last) those outputs read."""

    lo: int
    hi: int
    first: int
    last: int


@lru_cache(4096)
def runs(axis: Axis) -> Indices:
    """The entry of `axis` that each full position belongs to."""
    return np.repeat(np.arange(len(axis)), axis)


@lru_cache(4096)
def labels(axis: Axis, start: int, stop: int) -> Indices:
    """The entries shown at the full positions [start, stop), OUTSIDE where these lie beyond the axis."""
    found = np.full(stop - start, OUTSIDE, np.int64)
    lo, hi = max(start, 0), min(stop, sum(axis))
    if lo < hi:
        found[lo - start : hi - start] = runs(axis)[lo:hi]
    return found


@lru_cache(4096)
def label_key(axis: Axis, start: int, stop: int) -> bytes:
    """The same labels as a hashable value: equal keys show equal rows."""
    return labels(axis, start, stop).tobytes()


@lru_cache(4096)
def cover(axis: Axis, start: int, stop: int) -> Indices:
    """How many of the full positions [start, stop) each entry of the axis stands for."""
    return np.bincount(runs(axis)[start:stop], minlength=len(axis))


@lru_cache(4096)
def slide(axis: Axis, kernel: Kernel) -> Slid:
    """The axis after a kernel slid over it, each distinct placement kept once.

    Long runs are cut, by a multiple of the stride, to the shortest run that shows every placement there is, so that an
    ordinary strided op on the gathered rows computes each distinct output.
    """
    padded = [(OUTSIDE, kernel.before), *enumerate(axis), (OUTSIDE, kernel.after), (BEYOND, kernel.extra)]
    names = np.array([name for name, count in padded if count], np.int64)
    counts = np.array([count for _, count in padded if count], np.int64)
    enough = kernel.span + kernel.stride - 1
    cut = np.where(counts <= enough, counts, enough + (counts - enough) % kernel.stride)
    full, short = _placements(counts, kernel), _placements(cut, kernel)
    first, keep = _run_starts(full), _run_starts(short)
    if not np.array_equal(full[first], short[keep]):
        raise AssertionError(f"cutting {axis} for {kernel} lost a placement")
    return Slid(np.repeat(names, cut), keep, _lengths(first, len(full)), first)


@lru_cache(4096)
def reach(start: int, stop: int, length: int, kernel: Kernel) -> Reach:
    """The outputs that may see the inputs [start, stop) of an axis of `length` rows; at least one output."""
    outputs = kernel.outputs(length)
    lo = max(0, -((kernel.span - 1 - kernel.before - start) // kernel.stride))
    lo = min(lo, outputs - 1)
    hi = max(min(outputs - 1, (stop - 1 + kernel.before) // kernel.stride), lo)
    origin = -kernel.before
    return Reach(lo, hi + 1, lo * kernel.stride + origin, hi * kernel.stride + origin + kernel.span)


@lru_cache(4096)
def taps(length: int, kernel: Kernel, padding_counts: bool) -> Indices:
    """How many inputs each output of an average pool divides by: ceil_mode's rows never count, padding on request."""
    starts = np.arange(kernel.outputs(length))[:, None] * kernel.stride - kernel.before
    at = starts + kernel.dilation * np.arange(kernel.size)
    low, high = (-kernel.before, length + kernel.after) if padding_counts else (0, length)
    return ((at >= low) & (at < high)).sum(1)


@lru_cache(4096)
def ceil_extra(length: int, kernel: Kernel) -> int:
    """Rows that ceil_mode adds behind the padding; the last placement must still start in the input or before it."""
    spare = length + kernel.before + kernel.after - kernel.span
    outputs = -(-spare // kernel.stride) + 1
    if (outputs - 1) * kernel.stride >= length + kernel.before:
        outputs -= 1
    return max(0, (outputs - 1) * kernel.stride - spare)


def reindex(axis: Axis, source: Indices) -> tuple[Indices, Axis]:
    """The axis whose position i shows position source[i]: entries to gather, and their multiplicities."""
    shown = runs(axis)[source]
    first = _run_starts(shown[:, None])
    return shown[first], _lengths(first, len(shown))


@lru_cache(4096)
def refine(axes: tuple[Axis, ...]) -> tuple[Axis, tuple[Indices, ...]]:
    """The common refinement of axes of one length, and for each of them the entry shown at each refined entry."""
    edges = np.unique(np.concatenate([np.cumsum(axis) for axis in axes]))
    first = np.concatenate([[0], edges[:-1]])
    return _lengths(first, int(edges[-1])), tuple(runs(axis)[first] for axis in axes)


def _placements(counts: Indices, kernel: Kernel) -> Indices:
    """The part of the axis under each tap of each placement, [outputs, taps]."""
    part = np.repeat(np.arange(len(counts)), counts)
    first = np.arange(0, len(part) - kernel.span + 1, kernel.stride)
    return part[first[:, None] + kernel.dilation * np.arange(kernel.size)]


def _run_starts(rows: Indices) -> Indices:
    """The first of each run of equal rows."""
    return np.flatnonzero(np.concatenate([[True], (rows[1:] != rows[:-1]).any(1)]))


def _lengths(first: Indices, total: int) -> Axis:
    return tuple(np.diff(np.append(first, total)).tolist())
