"""Max and average pooling with a sliding kernel."""

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas
from .dispatch import rule
from .errors import CanvasUnsupported
from .reduction import adaptive_avg_pool2d, adaptive_max_pool2d
from .sliding import Kernels, ceil_kernels, divide_by_taps, kernels, pair, slide

Size = int | Sequence[int]


@rule(F.max_pool2d, torch.max_pool2d)
def max_pool2d(
    input: Canvas,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """torch.nn.functional.max_pool2d, [N, C, H, W] to [N, C, H', W']."""
    if return_indices:
        raise CanvasUnsupported("max_pool2d with return_indices")
    size, step, spread = pair(kernel_size), _stride(stride, kernel_size), pair(dilation)
    along = _checked(kernels(size, step, padding, spread))
    if _whole(input, along):
        return adaptive_max_pool2d(input, 1)
    along = ceil_kernels(input, along) if ceil_mode else along
    return slide(input, lambda t: F.max_pool2d(t, size, step, 0, spread), along, fill=-math.inf)


@rule(F.avg_pool2d)
def avg_pool2d(
    input: Canvas,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """torch.nn.functional.avg_pool2d, [N, C, H, W] to [N, C, H', W']."""
    size, step = pair(kernel_size), _stride(stride, kernel_size)
    along = _checked(kernels(size, step, padding))
    if _whole(input, along) and divisor_override is None:
        return adaptive_avg_pool2d(input, 1)
    along = ceil_kernels(input, along) if ceil_mode else along
    uneven = any(kernel.extra or (kernel.before and not count_include_pad) for kernel in along)
    divisor = 1 if uneven and divisor_override is None else divisor_override
    finish = partial(divide_by_taps, canvas=input, along=along, padding_counts=count_include_pad)
    by_hand = uneven and divisor_override is None
    pool = partial(F.avg_pool2d, kernel_size=size, stride=step, divisor_override=divisor)
    return slide(input, pool, along, finish=finish if by_hand else None)


def _stride(stride: Size | None, kernel_size: Size) -> tuple[int, int]:
    """Pooling steps by its kernel unless told otherwise; PyTorch also writes that as an empty list."""
    return pair(kernel_size if stride is None or (not isinstance(stride, int) and not len(stride)) else stride)


def _checked(along: Kernels) -> Kernels:
    for kernel in along:
        if kernel.before > kernel.size // 2:
            raise ValueError(f"a pool of {kernel.size} may pad by half its size at most, not by {kernel.before}")
    return along


def _whole(canvas: Canvas, along: Kernels) -> bool:
    """One placement that sees the whole canvas: a window would have to grow to all of it."""
    return all(
        kernel.size == length and not kernel.before and kernel.dilation == 1
        for kernel, length in zip(along, canvas.shape[2:], strict=True)
    )
