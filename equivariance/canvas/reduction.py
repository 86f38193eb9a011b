"""Ops that pool a canvas to a fixed size: they end it and return an ordinary tensor."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas
from .dispatch import rule
from .errors import CanvasUnsupported
from .gather import constant
from .pieces import Box, Ground, Window

Bins = list[tuple[int, int]]


@rule(F.adaptive_avg_pool2d)
def adaptive_avg_pool2d(input: Canvas, output_size: int | Sequence[int | None] | None) -> Tensor:
    """torch.nn.functional.adaptive_avg_pool2d, [N, C, H, W] to the ordinary tensor [N, C, h, w].

    Each bin is the window's sum plus every ground cell times how often the bin shows it, over the bin's area.
    """
    rows, cols = _bins(input, output_size)
    return _pooled(input, rows, cols, _bin_means)


@rule(F.adaptive_max_pool2d, torch.nn.functional.adaptive_max_pool2d_with_indices)
def adaptive_max_pool2d(
    input: Canvas, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Tensor:
    """torch.nn.functional.adaptive_max_pool2d, [N, C, H, W] to the ordinary tensor [N, C, h, w]."""
    if return_indices:
        raise CanvasUnsupported("adaptive_max_pool2d with return_indices")
    rows, cols = _bins(input, output_size)
    return _pooled(input, rows, cols, _bin_maxima)


@rule(torch.mean, Tensor.mean)
def mean(
    input: Canvas, dim: Any = None, keepdim: bool = False, *, axis: Any = None, dtype: torch.dtype | None = None
) -> Tensor:
    """torch.mean over height and width, [N, C, H, W] to [N, C] or, with keepdim, [N, C, 1, 1]."""
    if dtype is not None:
        raise CanvasUnsupported("mean with a dtype")
    _check_spatial("mean", dim if axis is None else axis)
    return _squeezed(adaptive_avg_pool2d(input, 1), keepdim)


@rule(torch.sum, Tensor.sum)
def sum_(
    input: Canvas, dim: Any = None, keepdim: bool = False, *, axis: Any = None, dtype: torch.dtype | None = None
) -> Tensor:
    """torch.sum over height and width, [N, C, H, W] to [N, C] or, with keepdim, [N, C, 1, 1]."""
    return mean(input, dim, keepdim, axis=axis, dtype=dtype) * (input.shape[2] * input.shape[3])


@rule(torch.amax, Tensor.amax)
def amax(input: Canvas, dim: Any = (), keepdim: bool = False) -> Tensor:
    """torch.amax over height and width, [N, C, H, W] to [N, C] or, with keepdim, [N, C, 1, 1]."""
    _check_spatial("amax", dim)
    return _squeezed(adaptive_max_pool2d(input, 1), keepdim)


@rule(torch.flatten, Tensor.flatten)
def flatten(input: Canvas, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """torch.flatten, as an ordinary tensor: what follows could not tell window from ground any more."""
    return input.dense().flatten(start_dim, end_dim)


def _pooled(canvas: Canvas, rows: Bins, cols: Bins, pool: Any) -> Tensor:
    """pool(window, where in the window, ground, how often each bin shows each ground cell) for every group."""
    parts: dict[int, Tensor] = {}
    for window in canvas.windows:
        known: dict[Any, Tensor] = {}
        for spot in window.spots:
            box = window.box(spot)
            shown = _shown(canvas.ground, box, rows, cols)
            inside = _inside(box.top, box.bottom, rows), _inside(box.left, box.right, cols)
            key = (shown.tobytes(), str(inside))
            if key not in known:  # groups that share a window and hide the same ground get the same numbers
                known[key] = pool(window, inside, canvas.ground, shown, (rows, cols))
            parts[spot.group] = known[key]
    return canvas.in_batch_order(parts)


def _bin_means(
    window: Window, inside: tuple[Bins, Bins], ground: Ground, shown: Any, bins: tuple[Bins, Bins]
) -> Tensor:
    tensor = window.tensor
    if len(shown) == 1:
        total = tensor.sum((2, 3), keepdim=True)
    else:
        rows, cols = (constant(_membership(part, n), tensor) for part, n in zip(inside, tensor.shape[2:], strict=True))
        total = rows @ tensor @ cols.T  # [n, C, bin rows, bin cols]
    counts = constant(shown.reshape(len(shown), -1), tensor)
    total = total + (ground.tensor.flatten(2) @ counts.T).reshape(1, -1, *total.shape[2:])
    area = [[(b - a) * (d - c) for c, d in bins[1]] for a, b in bins[0]]
    return total / constant(np.array(area), tensor)


def _bin_maxima(
    window: Window, inside: tuple[Bins, Bins], ground: Ground, shown: Any, bins: tuple[Bins, Bins]
) -> Tensor:
    found = []
    for (a, b), seen in zip(((r, c) for r in inside[0] for c in inside[1]), shown, strict=True):
        part = window.tensor[:, :, a[0] : a[1], b[0] : b[1]]
        best = _maximum(part) if part.numel() else None
        if seen.any():
            hidden = constant(seen == 0, ground.tensor, torch.bool)
            around = _maximum(ground.tensor.masked_fill(hidden, -math.inf)).expand(len(window.tensor), -1)
            best = around if best is None else torch.where(best >= around, best, around)
        found.append(best)
    return torch.stack(found, -1).unflatten(-1, (len(bins[0]), len(bins[1])))  # type: ignore[arg-type]


def _maximum(part: Tensor) -> Tensor:
    return part.flatten(2).max(-1).values  # [n, C]; the gradient goes to one cell, as in adaptive_max_pool2d


def _bins(canvas: Canvas, output_size: int | Sequence[int | None] | None) -> tuple[Bins, Bins]:
    """The [start, stop) of each bin along rows and columns."""
    wanted = (output_size,) * 2 if output_size is None or isinstance(output_size, int) else output_size
    rows, cols = (
        [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]
        for n, count in ((n, n if want is None else want) for want, n in zip(wanted, canvas.shape[2:], strict=True))
    )
    return rows, cols


def _inside(start: int, stop: int, bins: Bins) -> Bins:
    """Each bin's [start, stop) within a window that spans [start, stop); empty where they do not meet."""
    clipped = ((max(a, start) - start, min(b, stop) - start) for a, b in bins)
    return [(a, b) if a < b else (0, 0) for a, b in clipped]


def _membership(part: Bins, length: int) -> np.ndarray:
    """1 where a cell belongs to a bin, [bins, length]."""
    at = np.arange(length)
    return np.array([(at >= a) & (at < b) for a, b in part], np.float64)


def _shown(ground: Ground, window: Box, rows: Bins, cols: Bins) -> np.ndarray:
    """How often each bin shows each ground cell outside the window, integers [bins, r, c]."""
    boxes = [Box(a, b, c, d) for a, b in rows for c, d in cols]
    return np.stack([ground.hidden(box) - _hidden_if_any(ground, box.meet(window)) for box in boxes])


def _hidden_if_any(ground: Ground, box: Box) -> Any:
    return ground.hidden(box) if box.bottom > box.top and box.right > box.left else 0


def _check_spatial(name: str, dim: Any) -> None:
    dims = dim if isinstance(dim, (tuple, list)) else ()
    if sorted(d % 4 for d in dims) != [2, 3]:
        raise CanvasUnsupported(f"{name} over dimensions {dim}", "only height and width together can be pooled")


def _squeezed(pooled: Tensor, keepdim: bool) -> Tensor:
    return pooled if keepdim else pooled[:, :, 0, 0]
