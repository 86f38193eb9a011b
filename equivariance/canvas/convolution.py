"""conv2d on a canvas."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .axes import Kernel
from .canvas import Canvas
from .dispatch import rule
from .errors import CanvasUnsupported
from .sliding import Kernels, pair, slide


@rule(torch.conv2d)
def conv2d(
    input: Canvas,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """torch.nn.functional.conv2d, [N, C, H, W] to [N, C', H', W']."""
    if isinstance(weight, Canvas):
        raise CanvasUnsupported("conv2d with a canvas as its weight")
    along = _kernels(weight.shape[2:], stride, padding, dilation)
    return slide(input, lambda t: F.conv2d(t, weight, bias, stride, 0, dilation, groups), along)


def _kernels(
    size: Sequence[int],
    stride: int | Sequence[int],
    padding: int | Sequence[int] | str,
    dilation: int | Sequence[int],
) -> Kernels:
    if padding == "same" and set(pair(stride)) != {1}:
        raise ValueError("padding='same' of a strided convolution is not defined")
    rows, cols = (Kernel(k, s, d) for k, s, d in zip(size, pair(stride), pair(dilation), strict=True))
    before = {"same": ((rows.span - 1) // 2, (cols.span - 1) // 2), "valid": (0, 0)}
    top, left = before[padding] if isinstance(padding, str) else pair(padding)
    bottom, right = (rows.span - 1 - top, cols.span - 1 - left) if padding == "same" else (top, left)
    return (
        Kernel(rows.size, rows.stride, rows.dilation, top, bottom),
        Kernel(cols.size, cols.stride, cols.dilation, left, right),
    )
