"""Selecting rows and columns of a tensor by integer labels, as a view wherever one exists."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .axes import Indices
from .painting import Spread, stretches


@lru_cache(4096)
def _index(content: bytes, device: torch.device) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.int64).to(device)


@lru_cache(4096)
def _constant(content: bytes, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.float64).reshape(shape).to(device, dtype)


def index_tensor(index: Indices, device: torch.device) -> Tensor:
    """The indices as a tensor on the device, made once per content and device."""
    with torch.inference_mode(False):  # a tensor born in inference mode could not be saved for backward later
        return _index(np.ascontiguousarray(index, np.int64).tobytes(), device)


def constant(values: np.ndarray, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Fixed numbers as a tensor of the dtype and device of `like`, made once per content."""
    with torch.inference_mode(False):
        values = np.ascontiguousarray(values, np.float64)
        return _constant(values.tobytes(), values.shape, dtype or like.dtype, like.device)


def take(tensor: Tensor, dim: int, index: Indices) -> Tensor:
    """index_select; a view where the indices are consecutive or all the same."""
    count = len(index)
    if count == 0:
        return tensor.narrow(dim, 0, 0)
    start, steps = int(index[0]), np.diff(index)
    if (steps == 1).all():
        return tensor if count == tensor.shape[dim] else tensor.narrow(dim, start, count)
    if (steps == 0).all():
        sizes = [-1] * tensor.dim()
        sizes[dim] = count
        return tensor.narrow(dim, start, 1).expand(sizes)
    return tensor.index_select(dim, index_tensor(index, tensor.device))


def take_cells(tensor: Tensor, rows: Indices, cols: Indices, fill: float = 0.0) -> Tensor:
    """The cells at rows × cols of [n, C, h, w]; negative labels, at the ends only, show `fill`."""
    if len(tensor) > 1 and max(len(stretches(rows)), len(stretches(cols))) > 1:
        return Spread.apply(tensor, rows, cols, fill)
    inside_rows, inside_cols = np.flatnonzero(rows >= 0), np.flatnonzero(cols >= 0)
    cells = take(take(tensor, 2, rows[inside_rows]), 3, cols[inside_cols])
    margins = (*_margins(inside_cols, len(cols)), *_margins(inside_rows, len(rows)))
    return F.pad(cells, margins, value=fill) if any(margins) else cells


def _margins(inside: Indices, total: int) -> tuple[int, int]:
    return (int(inside[0]), total - 1 - int(inside[-1])) if len(inside) else (0, total)
