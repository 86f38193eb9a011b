"""Dropping what deviates from the ground by less than a stated tolerance: off unless `place` was given one.

After many layers a window is as wide as the theoretical receptive field, while its outer cells hold the ground plus
something far below float32 rounding. Trimming crops those cells, and takes rows and columns of the ground that are as
close for equal, so that places far from any edge go on sharing one window. Windows and ground come from convolutions of
different shapes and differ in their last bits, so a tolerance near the dtype's own rounding trims little.
"""

from itertools import islice

import numpy as np
import torch
from torch import Tensor

from .axes import Axis, Indices
from .canvas import Canvas
from .gather import take_cells
from .pieces import Box, Ground, Spot, Window, strips

NOWHERE = Box(0, 0, 0, 0)


def trim(canvas: Canvas) -> Canvas:
    """The canvas without what its tolerance allows to drop; itself where its tensors hold no numbers (device meta).

    Args:
        canvas: [N, C, H, W] with a tolerance above 0.
    """
    if canvas.is_meta:
        return canvas
    tensors = [canvas.ground.tensor, *(window.tensor for window in canvas.windows)]
    largest = torch.stack([torch.maximum(tensor.amax(), -tensor.amin()) for tensor in tensors]).amax()
    # Next to an infinity, or to what is no number, nothing is negligible.
    allowed = torch.where(largest.isfinite(), canvas.tolerance * largest, -1.0)
    ground = canvas.ground
    # The first image of each window tells of most rows and columns; the rest of the batch is asked about the others.
    first = _read([flag for window in canvas.windows for flag in _deviates(*_first(window, ground), allowed, NOWHERE)])
    sure = [_hull(*first[2 * i : 2 * i + 2]) for i in range(len(canvas.windows))]
    flags = [
        flag
        for window, known in zip(canvas.windows, sure, strict=True)
        for flag in _deviates(window, ground, allowed, known)
    ]
    flags += [
        _near_middle(ground.tensor, 2, ground.rows, allowed),
        _near_middle(ground.tensor, 3, ground.cols, allowed),
    ]
    *marked, rows, cols = _read(flags)
    windows = [_cropped(w, *marked[2 * i : 2 * i + 2]) for i, w in enumerate(canvas.windows)]
    return canvas.like(_trim_ground(ground, rows, cols), windows)


def _read(flags: list[Tensor]) -> list[list[bool]]:
    """All of them at once: a GPU is waited for twice, however many windows there are."""
    found = iter(torch.cat(flags).tolist())
    return [list(islice(found, len(flag))) for flag in flags]


def _first(window: Window, ground: Ground) -> tuple[Window, Ground]:
    """The first image of a window, and what it has around."""
    mine = ground.seen_by(window.spots[0].group)[:1]
    return Window(window.tensor[:1], window.spots), Ground(mine, ground.rows, ground.cols)


def _deviates(window: Window, ground: Ground, allowed: Tensor, sure: Box) -> tuple[Tensor, Tensor]:
    """Which rows and which columns of a window hold a cell that is not the ground; those of the box `sure` do."""
    spot = window.spots[0]  # spots that share a window hide the same ground
    found = torch.ones(window.tensor.shape[2:], dtype=torch.bool, device=window.tensor.device)
    for rows, cols in strips(sure, *found.shape):
        box = Box(rows.start, rows.stop, cols.start, cols.stop).shift(spot.y, spot.x)
        by = window.tensor[:, :, rows, cols] - ground.over(box, spot.group)
        # Extremes of the channels, then of the images: a fraction of what |by| over both at once takes.
        found[rows, cols] = ~(torch.maximum(by.amax(1).amax(0), -by.amin(1).amin(0)) <= allowed)
    return found.any(1), found.any(0)


def _hull(rows: list[bool], cols: list[bool]) -> Box:
    tall, wide = _extent(rows), _extent(cols)
    return Box(tall.start, tall.stop, wide.start, wide.stop) if any(rows) else NOWHERE


def _cropped(window: Window, rows: list[bool], cols: list[bool]) -> Window:
    """The window without the outer rows and columns that do not deviate; one cell where none does."""
    tall, wide = _extent(rows), _extent(cols)
    spots = tuple(Spot(s.group, s.y + tall.start, s.x + wide.start) for s in window.spots)
    return Window(window.tensor[:, :, tall, wide], spots)


def _extent(flags: list[bool]) -> slice:
    marked = np.flatnonzero(flags)
    return slice(int(marked[0]), int(marked[-1]) + 1) if len(marked) else slice(0, 1)


def _trim_ground(ground: Ground, near_rows: list[bool], near_cols: list[bool]) -> Ground:
    keep_rows, rows = _joined(ground.rows, near_rows)
    keep_cols, cols = _joined(ground.cols, near_cols)
    return Ground(take_cells(ground.tensor, keep_rows, keep_cols), rows, cols, ground.each)


def _middle(axis: Axis) -> int:
    return int(np.searchsorted(np.cumsum(axis), sum(axis) // 2, side="right"))


def _near_middle(tensor: Tensor, dim: int, axis: Axis, allowed: Tensor) -> Tensor:
    """Which entries along `dim` look like the middle one."""
    others = tuple(d for d in range(4) if d != dim)
    return (tensor - tensor.narrow(dim, _middle(axis), 1)).abs_().amax(others) <= allowed


def _joined(axis: Axis, near: list[bool]) -> tuple[Indices, Axis]:
    """Entries to keep and their multiplicities once all around the middle that look like the middle are one."""
    first = last = middle = _middle(axis)
    while first > 0 and near[first - 1]:
        first -= 1
    while last + 1 < len(axis) and near[last + 1]:
        last += 1
    keep = np.array([*range(first), middle, *range(last + 1, len(axis))])
    return keep, (*axis[:first], sum(axis[first : last + 1]), *axis[last + 1 :])
