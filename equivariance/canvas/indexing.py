"""Ops that move rows and columns: slices, padding of every mode, nearest upsampling; and channel slices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import axes
from .axes import Indices
from .canvas import Canvas, alike
from .dispatch import rule
from .errors import CanvasUnsupported
from .gather import take
from .pieces import Box, Ground, Spot, Window

_WRAP = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # PyTorch's names and numpy's


@rule(Tensor.__getitem__)
def getitem(input: Canvas, key: Any) -> Canvas:
    """Slices of channels, rows and columns, [N, C, H, W] to [N, C', H', W']; like any slice a view of its input."""
    slices = _slices(key)
    if slices is not None and any(part.step is not None and part.step < 1 for part in slices):
        raise ValueError("the step of a slice must be greater than zero")
    if slices is None or slices[0] != slice(None):
        raise CanvasUnsupported(f"indexing by {key}", "only slices of channels, rows and columns are known")
    out = input
    if slices[1] != slice(None):
        out = out.map(lambda t: t[:, slices[1]])
    for axis in (2, 3):
        if slices[axis] != slice(None):
            out = _shown(out, axis, np.arange(out.shape[axis])[slices[axis]])
    return input.viewed_as(out)


@rule(torch.chunk, Tensor.chunk)
def chunk(input: Canvas, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """torch.chunk along channels."""
    return split(input, -(-input.shape[1] // chunks), dim)


@rule(torch.split, Tensor.split)
def split(input: Canvas, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """torch.split along channels."""
    if dim % 4 != 1:
        raise CanvasUnsupported(f"split along dimension {dim}")
    total = input.shape[1]
    sizes = [split_size] * -(-total // split_size) if isinstance(split_size, int) else list(split_size)
    if not isinstance(split_size, int) and sum(sizes) != total:
        raise ValueError(f"parts of {sizes} of {total} channels")
    ends = np.minimum(np.cumsum(sizes), total).tolist()
    return tuple(getitem(input, (slice(None), slice(a, b))) for a, b in zip([0, *ends[:-1]], ends, strict=True))


@rule(F.pad, torch._C._nn.pad)
def pad(input: Canvas, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """torch.nn.functional.pad of height and width by any amounts, negative ones crop.

    Raises:
        CanvasUnsupported: padding of channels or batch; nothing is left.
        ValueError: reflect or circular padding reaches past the other edge, or not four amounts for another mode.
    """
    if any(pad[4:]):
        raise CanvasUnsupported("padding along channels or batch")
    left, right, top, bottom = (int(amount) for amount in (*pad, 0, 0, 0, 0)[:4])
    if mode == "constant":
        cropped = _crop(input, [(min(top, 0), min(bottom, 0)), (min(left, 0), min(right, 0))])
        grown = (max(left, 0), max(right, 0), max(top, 0), max(bottom, 0))
        return _pad_constant(cropped, grown, 0.0 if value is None else value)
    if len(pad) != 4:
        raise ValueError(f"{mode} padding of a map takes four amounts, not {len(pad)}")
    out = input.like(input.ground, input.windows)
    for axis, (before, after) in ((2, (top, bottom)), (3, (left, right))):
        if before or after:
            out = _shown(out, axis, _wrapped_positions(input.shape[axis], before, after, mode))
    return _settled(out)


@rule(F.interpolate)
def interpolate(
    input: Canvas, size: Any = None, scale_factor: Any = None, mode: str = "nearest", **options: Any
) -> Tensor:
    """torch.nn.functional.interpolate, nearest by a whole factor, [N, C, H, W] to [N, C, f·H, f·W]."""
    factors = _whole_factors(scale_factor) if size is None else None
    if mode != "nearest" or factors is None or any(options.values()):
        raise CanvasUnsupported(f"interpolate by {mode} to {size or scale_factor}")
    out = input
    for axis, factor in zip((2, 3), factors, strict=True):
        out = _shown(out, axis, np.repeat(np.arange(input.shape[axis]), factor))
    return _settled(out)


def _settled(moved: Canvas) -> Tensor:
    """The same, settled into memory of its own: what was moved may be a view of the input."""
    settled = moved.settle()
    return settled if isinstance(settled, Canvas) else settled.clone()


def _whole_factors(scale_factor: Any) -> tuple[int, int] | None:
    """(rows, columns), None where a factor is missing or no positive whole number."""
    if isinstance(scale_factor, (tuple, list)) and len(scale_factor) != 2:
        raise ValueError(f"scale factors {scale_factor} for height and width")
    given = [float(f) for f in np.broadcast_to(np.asarray(scale_factor or 0, np.float64), 2)]
    return (int(given[0]), int(given[1])) if all(f >= 1 and f == int(f) for f in given) else None


def _pad_constant(canvas: Canvas, amounts: tuple[int, int, int, int], value: float) -> Canvas:
    left, right, top, bottom = amounts
    ground = canvas.ground
    edges = [int(amount > 0) for amount in amounts]
    rows = (top,) * edges[2] + ground.rows + (bottom,) * edges[3]
    cols = (left,) * edges[0] + ground.cols + (right,) * edges[1]
    padded = Ground(F.pad(ground.tensor, edges, value=value), rows, cols)
    windows = [Window(w.tensor, tuple(Spot(s.group, s.y + top, s.x + left) for s in w.spots)) for w in canvas.windows]
    return canvas.like(padded, windows)


def _crop(canvas: Canvas, amounts: Sequence[tuple[int, int]]) -> Canvas:
    out = canvas
    for axis, (before, after) in zip((2, 3), amounts, strict=True):
        if before or after:
            out = _shown(out, axis, np.arange(-before, canvas.shape[axis] + after))
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
        raise CanvasUnsupported("a slice without rows or columns")
    ground = canvas.ground
    kept, lengths = axes.reindex((ground.rows, ground.cols)[axis - 2], source)
    tensor = take(ground.tensor, axis, kept)
    moved = Ground(tensor, lengths, ground.cols) if axis == 2 else Ground(tensor, ground.rows, lengths)
    windows = [out for window in canvas.windows for out in _show_window(canvas, window, axis, source)]
    return canvas.like(moved, windows)


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


def _slices(key: Any) -> list[slice] | None:
    """One slice per dimension, None where the key holds anything else."""
    keys: list[Any] = list(key) if isinstance(key, tuple) else [key]
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (5 - len(keys))
    keys += [slice(None)] * (4 - len(keys))
    return keys if len(keys) == 4 and all(isinstance(k, slice) for k in keys) else None
