"""Ops that pool a canvas to a fixed size: they end it and return an ordinary tensor."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from equivariance.ops import Layout, Pool, Unroll

from .canvas import Canvas
from .gather import constant
from .pieces import Box, Ground, Window

Bins = list[tuple[int, int]]


@Canvas.means(Pool)
def pool(op: Pool, canvas: Canvas) -> Tensor:
    """A statistic of each bin, [N, C, H, W] to the ordinary tensor [N, C, h, w] or, for one bin not kept, [N, C].

    Each bin has the window's cells, and every ground cell as often as the bin shows it.
    """
    if not canvas.dtype.is_floating_point:  # counts and masks, where a sum has another type and nothing lies below all
        return op.apply(canvas.dense())
    rows, cols = _bins(canvas, op.bins)
    if (len(rows), len(cols)) == canvas.sides and op.keep:
        return canvas.dense()
    if op.statistic == "amin":
        return -_laid_out(op, canvas.form, _pooled(canvas.map(torch.neg), rows, cols, _even_maximum))
    found = _pooled(canvas, rows, cols, _STATISTICS[op.statistic])
    return _laid_out(op, canvas.form, found.to(canvas.dtype))


@Canvas.means(Unroll)
def unroll(op: Unroll, canvas: Canvas) -> Tensor:
    """An ordinary tensor: what follows could not tell window from ground any more."""
    return op.apply(canvas.dense())


def _laid_out(op: Pool, form: Layout, found: Tensor) -> Tensor:
    """[N, C, h, w] as the call would have it."""
    found = form.open(found)
    return found if op.keep else found.squeeze(form.space)


def _pooled(canvas: Canvas, rows: Bins, cols: Bins, statistic: Any) -> Tensor:
    """statistic(window, where in the window, ground, how often each bin shows each ground cell) for every group."""
    parts: dict[int, Tensor] = {}
    for window in canvas.windows:
        known: dict[Any, Tensor] = {}
        for spot in window.spots:
            box = window.box(spot)
            shown = _shown(canvas.ground, box, rows, cols)
            inside = _inside(box.top, box.bottom, rows), _inside(box.left, box.right, cols)
            key = (shown.tobytes(), str(inside))
            if key not in known:  # groups that share a window and hide the same ground get the same numbers
                known[key] = statistic(window, inside, canvas.ground.seen_by(spot.group), shown, (rows, cols))
            parts[spot.group] = known[key]
    return canvas.in_batch_order(parts)


def _bin_means(
    window: Window, inside: tuple[Bins, Bins], ground: Tensor, shown: Any, bins: tuple[Bins, Bins]
) -> Tensor:
    sums = _bin_sums(window, inside, ground, shown, bins)
    area = [[(b - a) * (d - c) for c, d in bins[1]] for a, b in bins[0]]
    return sums / constant(np.array(area), sums)


def _bin_sums(window: Window, inside: tuple[Bins, Bins], ground: Tensor, shown: Any, bins: tuple[Bins, Bins]) -> Tensor:
    """In float32 at least; no bin meets a cell that it does not show, whatever that holds."""
    wide = torch.promote_types(window.tensor.dtype, torch.float32)
    around, found = ground.to(wide), []
    for (a, b), counts in zip(((r, c) for r in inside[0] for c in inside[1]), shown, strict=True):
        total = window.tensor[:, :, a[0] : a[1], b[0] : b[1]].sum((2, 3), dtype=wide)
        if counts.any():
            visible = around if counts.all() else around.masked_fill(constant(counts == 0, around, torch.bool), 0.0)
            total = total + (visible * constant(counts, around)).sum((2, 3))
        found.append(total)
    return torch.stack(found, -1).unflatten(-1, (len(bins[0]), len(bins[1])))


def _bin_maxima(
    window: Window, inside: tuple[Bins, Bins], ground: Tensor, shown: Any, bins: tuple[Bins, Bins]
) -> Tensor:
    found = []
    for (a, b), seen in zip(((r, c) for r in inside[0] for c in inside[1]), shown, strict=True):
        part = window.tensor[:, :, a[0] : a[1], b[0] : b[1]]
        best = _maximum(part) if part.numel() else None
        if seen.any():
            visible = ground if seen.all() else ground.masked_fill(constant(seen == 0, ground, torch.bool), -math.inf)
            around = _maximum(visible).expand(len(window.tensor), -1)
            best = around if best is None else torch.where((best >= around) | best.isnan(), best, around)
        found.append(best)
    return torch.stack(found, -1).unflatten(-1, (len(bins[0]), len(bins[1])))  # type: ignore[arg-type]


def _even_maximum(
    window: Window, inside: tuple[Bins, Bins], ground: Tensor, shown: Any, bins: tuple[Bins, Bins]
) -> Tensor:
    (rows,), (cols,) = inside
    part = window.tensor[:, :, rows[0] : rows[1], cols[0] : cols[1]]
    largest: Tensor = EvenMaximum.apply(part, ground, constant(shown[0], ground))
    return largest[:, :, None, None]


class EvenMaximum(torch.autograd.Function):
    """The largest of all cells [n, C], of which the ground's [1 or n, C, r, c] count counts [r, c] times."""

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
        for_around = outer * share
        return inner.mul_(share), for_around if len(around) == len(window) else for_around.sum(0, keepdim=True), None


def _maximum(part: Tensor) -> Tensor:
    return part.flatten(2).max(-1).values  # [n, C]; the gradient goes to one cell, as in adaptive_max_pool2d


def _bins(canvas: Canvas, wanted: tuple[int | None, ...]) -> tuple[Bins, Bins]:
    """The [start, stop) of each bin along rows and columns."""
    rows, cols = (
        [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]
        for n, count in ((n, n if want is None else want) for want, n in zip(wanted, canvas.sides, strict=True))
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


_STATISTICS = {"mean": _bin_means, "sum": _bin_sums, "max": _bin_maxima, "amax": _even_maximum}
