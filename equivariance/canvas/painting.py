"""Writing chosen cells of a tensor into another, block by block, in whatever memory layout the two have.

index_select reads cell by cell and turns channels_last into the contiguous format, in which the depthwise convolution
that follows takes more than twice as long: no matter for the one ground that all images share, half of the time where
each has its own.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .axes import Indices

Stretch = tuple[slice, slice]  # positions, and the entries they show: as many, or a single one


def paint(out: Tensor, tensor: Tensor, rows: Indices, cols: Indices, fill: float = 0.0) -> Tensor:
    """Fills `out` with chosen cells of a tensor; for use without gradients.

    Args:
        out: [n, C, R, K].
        tensor: [1 or n, C, h, w].
        rows: the R rows to show; negative labels, at the ends only, show `fill`.
        cols: the K columns to show, likewise.
        fill: what lies beyond the tensor.
    """
    (bare_rows, shown_rows), (bare_cols, shown_cols) = _plan(rows.tobytes()), _plan(cols.tobytes())
    for bare in bare_rows:
        out[:, :, bare].fill_(fill)
    for bare in bare_cols:
        out[:, :, :, bare].fill_(fill)
    for to_rows, from_rows in shown_rows:
        for to_cols, from_cols in shown_cols:
            out[:, :, to_rows, to_cols] = tensor[:, :, from_rows, from_cols]
    return out


class Spread(torch.autograd.Function):
    """The cells at rows × cols of [n, C, h, w] as a new tensor, with `fill` where labels are negative."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, rows: Indices, cols: Indices, fill: float) -> Tensor:
        """Returns [n, C, rows, cols] in the memory format of the tensor."""
        ctx.sides, ctx.rows, ctx.cols = tensor.shape[2:], rows, cols
        return paint(blank(tensor, (len(rows), len(cols))), tensor, rows, cols, fill)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """Each cell collects from wherever it is shown."""
        collected = blank(grad, ctx.sides).zero_()
        for to_rows, from_rows in stretches(ctx.rows):
            for to_cols, from_cols in stretches(ctx.cols):
                part = grad[:, :, to_rows, to_cols]
                repeated = [d for d, entries in ((2, from_rows), (3, from_cols)) if entries.stop - entries.start == 1]
                collected[:, :, from_rows, from_cols] += part.sum(repeated, keepdim=True) if repeated else part
        return collected, None, None, None


def blank(like: Tensor, sides: Sequence[int]) -> Tensor:
    """Memory for [n, C, *sides] in the layout of [n, C, h, w]."""
    size = (*like.shape[:2], *sides)
    return torch.empty(size, dtype=like.dtype, device=like.device, memory_format=layout(like))


def layout(tensor: Tensor) -> torch.memory_format:
    """channels_last where the channels lie next to each other in memory, also for a cut-out of such a tensor."""
    return torch.channels_last if tensor.stride(1) == 1 and tensor.shape[1] > 1 else torch.contiguous_format


def stretches(index: Indices) -> tuple[Stretch, ...]:
    """An index as few stretches, each of consecutive entries or of one entry throughout; none of negative labels."""
    return _plan(index.tobytes())[1]


@lru_cache(4096)
def _plan(index: bytes) -> tuple[tuple[slice, ...], tuple[Stretch, ...]]:
    """Positions without an entry, and the stretches between."""
    entries = np.frombuffer(index, np.int64)
    inside = np.flatnonzero(entries >= 0)
    if not len(inside):
        return (slice(0, len(entries)),), ()
    start, end = int(inside[0]), int(inside[-1]) + 1
    bare = tuple(each for each in (slice(0, start), slice(end, len(entries))) if each.stop > each.start)
    found = []
    while start < end:
        first, stop = int(entries[start]), start + 1
        step = int(entries[stop]) - first if stop < end else 1
        while stop < end and step in (0, 1) and entries[stop] - entries[stop - 1] == step:
            stop += 1
        found.append((slice(start, stop), slice(first, first + 1 + step * (stop - start - 1))))
        start = stop
    return bare, tuple(found)
