"""Ops that pool a canvas to a fixed size: they end it and return an ordinary tensor."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    if (len(rows), len(cols)) == input.shape[2:]:
        return input.dense()
    return _pooled(input, rows, cols, _bin_means)


@rule(F.adaptive_max_pool2d, torch.nn.functional.adaptive_max_pool2d_with_indices)
def adaptive_max_pool2d(
    input: Canvas, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Tensor:
    """torch.nn.functional.adaptive_max_pool2d, [N, C, H, W] to the ordinary tensor [N, C, h, w].

    Of several equal largest cells PyTorch leaves open which one gets the gradient; here the window's come first.
    """
    if return_indices:
        raise CanvasUnsupported("adaptive_max_pool2d with return_indices")
    rows, cols = _bins(input, output_size)
    if (len(rows), len(cols)) == input.shape[2:]:
        return input.dense()
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
    if dtype is not None:
        raise CanvasUnsupported("sum with a dtype")
    _check_spatial("sum", dim if axis is None else axis)
    return _squeezed(_pooled(input, *_bins(input, 1), _bin_sums).to(input.dtype), keepdim)


@rule(torch.amax, Tensor.amax)
def amax(input: Canvas, dim: Any = (), keepdim: bool = False) -> Tensor:
    """torch.amax over height and width, [N, C, H, W] to [N, C] or, with keepdim, [N, C, 1, 1].

    Equal largest cells share the gradient evenly, those of the ground as often as the image shows them.
    """
    _check_spatial("amax", dim)
    return _squeezed(_pooled(input, *_bins(input, 1), _even_maximum), keepdim)


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
    sums = _bin_sums(window, inside, ground, shown, bins)
    area = [[(b - a) * (d - c) for c, d in bins[1]] for a, b in bins[0]]
    return (sums / constant(np.array(area), sums)).to(window.tensor.dtype)


def _bin_sums(window: Window, inside: tuple[Bins, Bins], ground: Ground, shown: Any, bins: tuple[Bins, Bins]) -> Tensor:
    """In float32 at least; no bin meets a cell that it does not show, whatever that holds."""
    wide = torch.promote_types(window.tensor.dtype, torch.float32)
    around, found = ground.tensor.to(wide), []
    for (a, b), counts in zip(((r, c) for r in inside[0] for c in inside[1]), shown, strict=True):
        total = window.tensor[:, :, a[0] : a[1], b[0] : b[1]].sum((2, 3), dtype=wide)
        if counts.any():
            visible = around.masked_fill(constant(counts == 0, around, torch.bool), 0.0)
            total = total + (visible * constant(counts, around)).sum((2, 3))
        found.append(total)
    return torch.stack(found, -1).unflatten(-1, (len(bins[0]), len(bins[1])))


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
            best = around if best is None else torch.where((best >= around) | best.isnan(), best, around)
        found.append(best)
    return torch.stack(found, -1).unflatten(-1, (len(bins[0]), len(bins[1])))  # type: ignore[arg-type]


def _even_maximum(
    window: Window, inside: tuple[Bins, Bins], ground: Ground, shown: Any, bins: tuple[Bins, Bins]
) -> Tensor:
    (rows,), (cols,) = inside
    part = window.tensor[:, :, rows[0] : rows[1], cols[0] : cols[1]]
    largest: Tensor = EvenMaximum.apply(part, ground.tensor, constant(shown[0], ground.tensor))
    return largest[:, :, None, None]


class EvenMaximum(torch.autograd.Function):
    """The largest of all cells [n, C], of which the ground's [1, C, r, c] count counts [r, c] times."""

    @staticmethod
    def forward(ctx: Any, window: Tensor, around: Tensor, counts: Tensor) -> Tensor:
        """Returns the maximum; NaN where any cell is."""
        largest = window.amax((2, 3))
        beyond = around.masked_fill(counts == 0, -math.inf).amax((2, 3))
        largest = torch.maximum(largest, beyond)
        ctx.save_for_backward(window, around, counts, largest)
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Each of the equal largest cells gets the same share."""
        window, around, counts, largest = ctx.saved_tensors
        largest = largest[:, :, None, None]
        inner, outer = (window == largest).to(grad.dtype), (around == largest).to(grad.dtype) * counts
        share = grad[:, :, None, None] / (inner.sum((2, 3), keepdim=True) + outer.sum((2, 3), keepdim=True))
        return inner.mul_(share), (outer * share).sum(0, keepdim=True), None


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
