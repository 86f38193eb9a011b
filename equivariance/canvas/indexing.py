"""Ops that move rows and columns: slices, padding of every mode, nearest upsampling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops import Crop, Pad, Unknown, Upsample

from . import axes
from .axes import Indices
from .canvas import Canvas, alike
from .gather import take
from .pieces import Box, Ground, Spot, Window

_WRAP = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # PyTorch's names and numpy's


@Canvas.means(Crop)
def crop(op: Crop, canvas: Canvas) -> Canvas:
    """Slices of rows and columns, [N, C, H, W] to [N, C, H', W']."""
    out = canvas
    for axis, part in zip((2, 3), op.parts, strict=True):
        if part != (0, out.sides[axis - 2], 1):
            out = _shown(out, axis, np.arange(*part))
    return out


@Canvas.means(Pad)
def pad(op: Pad, canvas: Canvas) -> Tensor:
    """Padding of height and width by any amounts, negative ones crop.

    Raises:
        Unknown: nothing is left.
        ValueError: reflect or circular padding reaches past the other edge.
    """
    (top, bottom), (left, right) = op.sides
    if op.mode == "constant":
        cropped = _crop(canvas, [(min(top, 0), min(bottom, 0)), (min(left, 0), min(right, 0))])
        return _pad_constant(cropped, (max(left, 0), max(right, 0), max(top, 0), max(bottom, 0)), op.value)
    out = canvas.like(canvas.ground, canvas.windows, canvas.form)
    for axis, (before, after) in zip((2, 3), op.sides, strict=True):
        if before or after:
            out = _shown(out, axis, _wrapped_positions(canvas.sides[axis - 2], before, after, op.mode))
    return _settled(out)


@Canvas.means(Upsample)
def upsample(op: Upsample, canvas: Canvas) -> Tensor:
    """Each row and column repeated, [N, C, H, W] to [N, C, f·H, f·W]."""
    out = canvas
    for axis, factor in zip((2, 3), op.factors, strict=True):
        out = _shown(out, axis, np.repeat(np.arange(canvas.sides[axis - 2]), factor))
    return _settled(out)


def _settled(moved: Canvas) -> Tensor:
    """The same, settled into memory of its own: what was moved may be a view of the input."""
    settled = moved.settle()
    return settled if isinstance(settled, Canvas) else settled.clone()


def _pad_constant(canvas: Canvas, amounts: tuple[int, int, int, int], value: float) -> Canvas:
    left, right, top, bottom = amounts
    ground = canvas.ground
    edges = [int(amount > 0) for amount in amounts]
    rows = (top,) * edges[2] + ground.rows + (bottom,) * edges[3]
    cols = (left,) * edges[0] + ground.cols + (right,) * edges[1]
    padded = Ground(F.pad(ground.tensor, edges, value=value), rows, cols, ground.each)
    windows = [Window(w.tensor, tuple(Spot(s.group, s.y + top, s.x + left) for s in w.spots)) for w in canvas.windows]
    return canvas.like(padded, windows, canvas.form)


def _crop(canvas: Canvas, amounts: Sequence[tuple[int, int]]) -> Canvas:
    out = canvas
    for axis, (before, after) in zip((2, 3), amounts, strict=True):
        if before or after:
            out = _shown(out, axis, np.arange(-before, canvas.sides[axis - 2] + after))
    return out


def _wrapped_positions(length: int, before: int, after: int, mode: str) -> Indices:
    """The position that each row of the padded axis shows."""
    limit = {"reflect": length - 1, "circular": length}.get(mode)
    if limit is not None and max(before, after) > limit:
        raise ValueError(f"{mode} padding by {(before, after)} on an axis of {length}")
    shown, cut = np.arange(length), slice(max(-before, 0), -max(-after, 0) or None)
    if mode == "circular":  # wraps what negative amounts leave; the others crop what they made
        shown, cut = shown[cut], slice(None)
    return np.pad(shown, (max(before, 0), max(after, 0)), mode=_WRAP[mode])[cut]  # type: ignore[call-overload]


def _shown(canvas: Canvas, axis: int, source: Indices) -> Canvas:
    """The canvas whose position i along `axis` (2 or 3) shows position source[i]."""
    if not len(source):
        raise Unknown("a slice without rows or columns")
    ground = canvas.ground
    kept, lengths = axes.reindex((ground.rows, ground.cols)[axis - 2], source)
    tensor = take(ground.tensor, axis, kept)
    rows, cols = (lengths, ground.cols) if axis == 2 else (ground.rows, lengths)
    moved = Ground(tensor, rows, cols, ground.each)
    windows = [out for window in canvas.windows for out in _show_window(canvas, window, axis, source)]
    return canvas.like(moved, windows, canvas.form)


def _show_window(canvas: Canvas, window: Window, axis: int, source: Indices) -> list[Window]:
    sights = {spot: _sight(window.box(spot), axis, source) for spot in window.spots}

    def key(spot: Spot) -> Any:
        _, region, relative = sights[spot]
        return region.shift(-spot.y, -spot.x), relative.tobytes(), canvas.ground.key(region)

    out = []
    for _, spots in alike(window.spots, key):
        _, region, relative = sights[spots[0]]
        tensor = take(window.over(spots[0], region, canvas.ground), axis, relative)
        moved = (Spot(s.group, sights[s][0], s.x) if axis == 2 else Spot(s.group, s.y, sights[s][0]) for s in spots)
        out.append(Window(tensor, tuple(moved)))
    return out


def _sight(box: Box, axis: int, source: Indices) -> tuple[int, Box, Indices]:
    """Where a window's copy starts, the input it needs, and which of those rows (columns) it shows one by one."""
    start, stop = (box.top, box.bottom) if axis == 2 else (box.left, box.right)
    seen = np.flatnonzero((source >= start) & (source < stop))
    lo, hi = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
    shown = source[lo:hi]
    first, last = int(shown.min()), int(shown.max()) + 1
    region = box._replace(top=first, bottom=last) if axis == 2 else box._replace(left=first, right=last)
    return lo, region, shown - first
