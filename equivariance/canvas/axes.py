"""Integer geometry of one compressed axis; no tensors.

An axis is a tuple of multiplicities: entry i stands for `axis[i]` equal rows (or columns), one after the other. The
rows of an empty canvas are `(1144,)`; padding by 3 on either side gives `(3, 1144, 3)`. Everything is cached by value.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equivariance.ops import Kernel

Axis = tuple[int, ...]
Indices = npt.NDArray[np.int64]

OUTSIDE = -1  # label of a position in the padding
BEYOND = -2  # label of a position that ceil_mode adds after the padding; it counts for nothing


@dataclass(frozen=True)
class Slid:
    """An axis after a kernel slid over it: labels to gather, outputs to keep, their multiplicities, first positions."""

    gather: Indices
    keep: Indices
    axis: Axis
    first: Indices


@dataclass(frozen=True)
class Affected:
    """Outputs [lo, hi) that may see a stretch of the input, and the inputs [first, last) those outputs read."""

    lo: int
    hi: int
    first: int
    last: int


def output_count(length: int, kernel: Kernel) -> int:
    """How many placements fit an axis of `length` rows, those of ceil_mode included."""
    return (length + kernel.before + kernel.after + ceil_extra(length, kernel) - kernel.span) // kernel.stride + 1


@lru_cache(4096)
def runs(axis: Axis) -> Indices:
    """The entry of `axis` that each full position belongs to."""
    return _frozen(np.repeat(np.arange(len(axis)), axis))


@lru_cache(4096)
def labels(axis: Axis, start: int, stop: int) -> Indices:
    """The entries shown at the full positions [start, stop), OUTSIDE where these lie beyond the axis."""
    found = np.full(stop - start, OUTSIDE, np.int64)
    lo, hi = max(start, 0), min(stop, sum(axis))
    if lo < hi:
        found[lo - start : hi - start] = runs(axis)[lo:hi]
    return _frozen(found)


@lru_cache(4096)
def label_key(axis: Axis, start: int, stop: int) -> bytes:
    """The same labels as a hashable value: equal keys show equal rows."""
    return labels(axis, start, stop).tobytes()


@lru_cache(4096)
def cover(axis: Axis, start: int, stop: int) -> Indices:
    """How many of the full positions [start, stop) each entry of the axis stands for."""
    return _frozen(np.bincount(runs(axis)[start:stop], minlength=len(axis)))


@lru_cache(4096)
def slide(axis: Axis, kernel: Kernel) -> Slid:
    """The axis after a kernel slid over it, each distinct placement kept once.

    Long runs are cut, by a multiple of the stride, to the shortest run that shows every placement there is, so that an
    ordinary strided op on the gathered rows computes each distinct output.
    """
    padded = [(OUTSIDE, kernel.before), *enumerate(axis), (OUTSIDE, kernel.after)]
    padded.append((BEYOND, ceil_extra(sum(axis), kernel)))
    names = np.array([name for name, count in padded if count], np.int64)
    counts = np.array([count for _, count in padded if count], np.int64)
    enough = kernel.span + kernel.stride - 1
    cut = np.where(counts <= enough, counts, enough + (counts - enough) % kernel.stride)
    full, short = _placements(counts, kernel), _placements(cut, kernel)
    first, keep = _run_starts(full), _run_starts(short)
    if not np.array_equal(full[first], short[keep]):
        raise AssertionError(f"cutting {axis} for {kernel} lost a placement")
    return Slid(_frozen(np.repeat(names, cut)), _frozen(keep), _lengths(first, len(full)), _frozen(first))


@lru_cache(4096)
def affected(start: int, stop: int, length: int, kernel: Kernel) -> Affected:
    """The outputs that may see the inputs [start, stop) of an axis of `length` rows; at least one output."""
    outputs = output_count(length, kernel)
    lo = max(0, -((kernel.span - 1 - kernel.before - start) // kernel.stride))
    lo = min(lo, outputs - 1)
    hi = max(min(outputs - 1, (stop - 1 + kernel.before) // kernel.stride), lo)
    origin = -kernel.before
    return Affected(lo, hi + 1, lo * kernel.stride + origin, hi * kernel.stride + origin + kernel.span)


@lru_cache(4096)
def taps(length: int, kernel: Kernel, padding_counts: bool) -> Indices:
    """How many inputs each output of an average pool divides by: ceil_mode's rows never count, padding on request."""
    starts = np.arange(output_count(length, kernel))[:, None] * kernel.stride - kernel.before
    at = starts + kernel.dilation * np.arange(kernel.size)
    low, high = (-kernel.before, length + kernel.after) if padding_counts else (0, length)
    return _frozen(((at >= low) & (at < high)).sum(1))


@lru_cache(4096)
def ceil_extra(length: int, kernel: Kernel) -> int:
    """Rows that ceil_mode adds behind the padding; the last placement must still start in the input or before it."""
    if not kernel.ceil:
        return 0
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
    return _lengths(first, int(edges[-1])), tuple(_frozen(runs(axis)[first]) for axis in axes)


def _frozen(array: Indices) -> Indices:
    """The same array, which whoever gets it from a cache cannot change."""
    array.flags.writeable = False
    return array


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
