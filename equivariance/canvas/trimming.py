"""Dropping what deviates from the ground by less than a stated tolerance: off unless `place` was given one.

After many layers a window is as wide as the theoretical receptive field, while its outer cells hold the ground plus
something far below float32 rounding. Trimming crops those cells, and takes rows and columns of the ground that are as
close for equal, so that places far from any edge go on sharing one window. Windows and ground come from convolutions of
different shapes and differ in their last bits, so a tolerance near the dtype's own rounding trims little.
"""

import math

import numpy as np
from torch import Tensor

from .axes import Axis, Indices
from .canvas import Canvas
from .gather import take
from .pieces import Ground, Spot, Window


def trim(canvas: Canvas) -> Canvas:
    """The canvas without what its tolerance allows to drop; itself where its tensors hold no numbers (device meta).

    Args:
        canvas: [N, C, H, W] with a tolerance above 0.
    """
    if canvas.is_meta:
        return canvas
    tensors = [canvas.ground.tensor, *(window.tensor for window in canvas.windows)]
    allowed = canvas.tolerance * max(float(tensor.abs().amax()) for tensor in tensors)
    if not math.isfinite(allowed):
        return canvas  # next to an infinity, or to what is no number, nothing is negligible
    windows = [_trim_window(window, canvas.ground, allowed) for window in canvas.windows]
    return canvas.like(_trim_ground(canvas.ground, allowed), windows)


def _trim_window(window: Window, ground: Ground, allowed: float) -> Window:
    """The window cropped to the cells that deviate, at the cost of one cell where none does."""
    around = ground.over(window.box(window.spots[0]))  # spots that share a window hide the same ground
    deviates = (window.tensor - around).abs_().amax((0, 1)) > allowed
    rows, cols = _extent(deviates.any(1)), _extent(deviates.any(0))
    cropped = window.tensor[:, :, rows, cols]
    return Window(cropped, tuple(Spot(s.group, s.y + rows.start, s.x + cols.start) for s in window.spots))


def _extent(flags: Tensor) -> slice:
    marked = flags.nonzero().flatten().tolist()
    return slice(marked[0], marked[-1] + 1) if marked else slice(0, 1)


def _trim_ground(ground: Ground, allowed: float) -> Ground:
    keep_rows, rows = _joined(ground.tensor, 2, ground.rows, allowed)
    keep_cols, cols = _joined(ground.tensor, 3, ground.cols, allowed)
    return Ground(take(take(ground.tensor, 2, keep_rows), 3, keep_cols), rows, cols)


def _joined(tensor: Tensor, dim: int, axis: Axis, allowed: float) -> tuple[Indices, Axis]:
    """Entries to keep and their multiplicities once all around the middle that look like the middle are one."""
    middle = int(np.searchsorted(np.cumsum(axis), sum(axis) // 2, side="right"))
    others = tuple(d for d in range(4) if d != dim)
    near = ((tensor - tensor.narrow(dim, middle, 1)).abs_().amax(others) <= allowed).tolist()
    first, last = middle, middle
    while first > 0 and near[first - 1]:
        first -= 1
    while last + 1 < len(axis) and near[last + 1]:
        last += 1
    keep = np.array([*range(first), middle, *range(last + 1, len(axis))])
    return keep, (*axis[:first], sum(axis[first : last + 1]), *axis[last + 1 :])
