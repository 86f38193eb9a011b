"""Sliding a kernel over a canvas: convolution and pooling."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from equivariance.ops import Kernel, Pool, Slide

from . import axes
from .axes import Affected
from .canvas import Canvas, alike
from .gather import constant, take_cells
from .pieces import Box, Ground, Spot, Window
from .reduction import pool
from .trimming import trim

Kernels = tuple[Kernel, ...]  # rows, columns


@Canvas.means(Slide)
def slide(op: Slide, canvas: Canvas) -> Tensor:
    """The canvas after a kernel slid over it.

    Returns:
        [N, C', H', W'], a canvas or, where the windows cover nearly all of it, an ordinary tensor.

    Raises:
        ValueError: the kernel does not fit the padded canvas.
    """
    along = op.kernels
    for kernel, length in zip(along, canvas.sides, strict=True):
        if axes.output_count(length, kernel) < 1:
            raise ValueError(f"a kernel of {kernel.span} does not fit a padded axis of {length}")
    if op.kind != "convolution" and op.divisor is None and _whole(canvas, along):
        return pool(Pool("max" if op.kind == "max" else "mean", op.apply, (1, 1)), canvas)
    extra = [axes.ceil_extra(length, kernel) for kernel, length in zip(along, canvas.sides, strict=True)]
    padded = any(kernel.before or kernel.after for kernel in along)
    by_hand = op.kind == "average" and op.divisor is None and (any(extra) or (padded and not op.padding_counts))
    apply = partial(op.apply, divisor_override=1) if by_hand else op.apply
    finish = partial(_divide_by_taps, canvas=canvas, along=along, padding_counts=op.padding_counts) if by_hand else None
    return _slide(canvas, apply, along, -math.inf if op.kind == "max" else 0.0, finish)


def _whole(canvas: Canvas, along: Kernels) -> bool:
    """One placement that sees the whole canvas: a window would have to grow to all of it."""
    return all(
        kernel.size == length and not kernel.before and kernel.dilation == 1
        for kernel, length in zip(along, canvas.sides, strict=True)
    )


def _slide(
    canvas: Canvas,
    op: Callable[[Tensor], Tensor],
    along: Kernels,
    fill: float,
    finish: Callable[[Canvas], Canvas] | None,
) -> Tensor:
    windows = [out for window in canvas.windows for out in _slide_window(canvas, window, op, along, fill)]
    slid = canvas.like(_slide_ground(canvas.ground, op, along, fill), windows)
    slid = finish(slid) if finish else slid
    if canvas.tolerance and not torch.is_grad_enabled() and any(kernel.size > 1 for kernel in along):
        slid = trim(slid)
    return slid.settle()


def _slide_ground(ground: Ground, op: Callable[[Tensor], Tensor], along: Kernels, fill: float) -> Ground:
    rows, cols = axes.slide(ground.rows, along[0]), axes.slide(ground.cols, along[1])
    computed = op(take_cells(ground.tensor, rows.gather, cols.gather, fill))
    return Ground(take_cells(computed, rows.keep, cols.keep), rows.axis, cols.axis, ground.each)


def _slide_window(
    canvas: Canvas, window: Window, op: Callable[[Tensor], Tensor], along: Kernels, fill: float
) -> list[Window]:
    """The window's outputs; spots that read equal surroundings in equal phase stay one tensor."""
    out = []
    for (_, region, _), spots in alike(window.spots, lambda spot: _view(canvas, window.box(spot), along)):
        box = region.shift(spots[0].y, spots[0].x)
        tensor = op(window.over(spots[0], box, canvas.ground, fill))
        out.append(Window(tensor, tuple(_moved(canvas, window, spot, along) for spot in spots)))
    return out


def _view(canvas: Canvas, box: Box, along: Kernels) -> tuple[tuple[int, int], Box, tuple[bytes, bytes]]:
    """What decides a window's outputs besides its content: how many, the region read, the ground seen there."""
    rows, cols = _affected(canvas, box, along)
    region = Box(rows.first, rows.last, cols.first, cols.last)
    count = (rows.hi - rows.lo, cols.hi - cols.lo)
    return count, region.shift(-box.top, -box.left), canvas.ground.key(region)


def _affected(canvas: Canvas, box: Box, along: Kernels) -> tuple[Affected, Affected]:
    height, width = canvas.sides
    return (
        axes.affected(box.top, box.bottom, height, along[0]),
        axes.affected(box.left, box.right, width, along[1]),
    )


def _moved(canvas: Canvas, window: Window, spot: Spot, along: Kernels) -> Spot:
    rows, cols = _affected(canvas, window.box(spot), along)
    return Spot(spot.group, rows.lo, cols.lo)


def _divide_by_taps(slid: Canvas, canvas: Canvas, along: Kernels, padding_counts: bool) -> Canvas:
    """Sums over a kernel's taps, [N, C, H', W'], divided by how many inputs each of them met on `canvas`."""
    counts = [axes.taps(length, kernel, padding_counts) for kernel, length in zip(along, canvas.sides, strict=True)]
    first_row, first_col = (
        axes.slide(axis, kernel).first
        for axis, kernel in zip((canvas.ground.rows, canvas.ground.cols), along, strict=True)
    )
    ground = slid.ground.map(lambda t: t / constant(counts[0][first_row][:, None] * counts[1][first_col], t))
    windows = []
    for window in slid.windows:
        box = window.box(window.spots[0])  # all spots of a window read equal surroundings, so they share these counts
        met = counts[0][box.top : box.bottom][:, None] * counts[1][box.left : box.right]
        windows.append(Window(window.tensor / constant(met, window.tensor), window.spots))
    return slid.like(ground, windows)
