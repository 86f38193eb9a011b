"""Sliding a kernel over a canvas: the step that convolution and pooling have in common."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from . import axes
from .axes import Kernel, Reach
from .canvas import Canvas, alike
from .gather import constant, take, take_cells
from .pieces import Box, Ground, Spot, Window
from .trimming import trim

Kernels = tuple[Kernel, Kernel]  # rows, columns


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of an argument that may be one number for both."""
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[-1]))


def kernels(
    size: int | Sequence[int],
    stride: int | Sequence[int],
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Kernels:
    """The two axes of a kernel with symmetric padding."""
    rows, cols = zip(pair(size), pair(stride), pair(dilation), pair(padding), pair(padding), strict=True)
    return Kernel(*rows), Kernel(*cols)


def slide(
    canvas: Canvas,
    op: Callable[[Tensor], Tensor],
    along: Kernels,
    fill: float = 0.0,
    finish: Callable[[Canvas], Canvas] | None = None,
) -> Tensor:
    """The canvas after a kernel slid over it.

    Args:
        canvas: [N, C, H, W].
        op: the op without any padding, [n, C, h, w] to [n, C', h', w'].
        along: the kernel's two axes, padding included.
        fill: what padding shows.
        finish: what is yet to be done to the result.

    Returns:
        [N, C', H', W'], a canvas or, where the windows cover nearly all of it, an ordinary tensor.

    Raises:
        ValueError: the kernel does not fit the padded canvas.
    """
    for kernel, length in zip(along, canvas.shape[2:], strict=True):
        if kernel.outputs(length) < 1:
            raise ValueError(f"a kernel of {kernel.span} does not fit a padded axis of {length}")
    windows = [out for window in canvas.windows for out in _slide_window(canvas, window, op, along, fill)]
    slid = canvas.like(_slide_ground(canvas.ground, op, along, fill), windows)
    slid = finish(slid) if finish else slid
    if canvas.tolerance and not torch.is_grad_enabled() and any(kernel.size > 1 for kernel in along):
        slid = trim(slid)
    return slid.settle()


def _slide_ground(ground: Ground, op: Callable[[Tensor], Tensor], along: Kernels, fill: float) -> Ground:
    rows, cols = axes.slide(ground.rows, along[0]), axes.slide(ground.cols, along[1])
    computed = op(take_cells(ground.tensor, rows.gather, cols.gather, fill))
    return Ground(take(take(computed, 2, rows.keep), 3, cols.keep), rows.axis, cols.axis)


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
    rows, cols = _reaches(canvas, box, along)
    region = Box(rows.first, rows.last, cols.first, cols.last)
    count = (rows.hi - rows.lo, cols.hi - cols.lo)
    return count, region.shift(-box.top, -box.left), canvas.ground.key(region)


def _reaches(canvas: Canvas, box: Box, along: Kernels) -> tuple[Reach, Reach]:
    height, width = canvas.shape[2:]
    return axes.reach(box.top, box.bottom, height, along[0]), axes.reach(box.left, box.right, width, along[1])


def _moved(canvas: Canvas, window: Window, spot: Spot, along: Kernels) -> Spot:
    rows, cols = _reaches(canvas, window.box(spot), along)
    return Spot(spot.group, rows.lo, cols.lo)


def ceil_kernels(canvas: Canvas, along: Kernels) -> Kernels:
    """The kernels with the rows and columns that ceil_mode adds."""
    rows, cols = (
        replace(kernel, extra=axes.ceil_extra(length, kernel))
        for kernel, length in zip(along, canvas.shape[2:], strict=True)
    )
    return rows, cols


def divide_by_taps(slid: Canvas, canvas: Canvas, along: Kernels, padding_counts: bool) -> Canvas:
    """Sums over a kernel's taps, [N, C, H', W'], divided by how many inputs each of them met on `canvas`."""
    counts = [axes.taps(length, kernel, padding_counts) for kernel, length in zip(along, canvas.shape[2:], strict=True)]
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
