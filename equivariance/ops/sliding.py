"""Functions that slide a kernel: convolution and pooling, in one, two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops.call import Function, op_name, reads
from equivariance.ops.descriptions import Kernel, Slide, Unknown
from equivariance.ops.map import Map

Size = int | Sequence[int]


@reads("conv1d", "conv2d", "conv3d")
def convolution(
    func: Function,
    input: Map,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Slide:
    """Convolution; `same` of an even kernel pads one more after than before."""
    axes = _checked(func, input)
    if isinstance(weight, Map) or not isinstance(input, Map):
        raise Unknown(f"{op_name(func)} with a map as its weight")
    if weight.shape[1] * groups != input.shape[1]:
        raise RuntimeError(f"{op_name(func)} of {input.shape[1]} channels by a weight for {weight.shape[1] * groups}")
    sizes, strides, dilations = weight.shape[2:], each(stride, axes), each(dilation, axes)
    if padding == "same" and set(strides) != {1}:
        raise ValueError("padding='same' of a strided convolution is not defined")
    kernels = checked(
        func,
        *(
            Kernel(k, s, d, *sides)
            for k, s, d, sides in zip(sizes, strides, dilations, _sides(padding, sizes, dilations), strict=True)
        ),
    )

    def apply(t: Tensor, bias: Tensor | None = bias, stride: Size = stride) -> Tensor:
        return func(t, weight, bias, stride, 0, dilation, groups)

    return Slide("convolution", apply, kernels, weight.shape[0], weight, bias)


@reads(*(getattr(home, f"max_pool{n}d") for n in (1, 2, 3) for home in (F, torch)))
def max_pool(
    func: Function,
    input: Map,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Slide:
    """Max pooling."""
    if return_indices:
        raise Unknown(f"{op_name(func)} with return_indices")
    kernels = _pool(func, input, kernel_size, stride, padding, dilation, ceil_mode)
    sizes, steps, spread = ([getattr(k, n) for k in kernels] for n in ("size", "stride", "dilation"))

    def apply(t: Tensor, stride: Size = steps) -> Tensor:
        return func(t, sizes, stride, 0, spread)

    return Slide("max", apply, kernels, input.shape[1])


@reads("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    func: Function,
    input: Map,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Slide:
    """Average pooling."""
    kernels = _pool(func, input, kernel_size, stride, padding, 1, ceil_mode)
    sizes, steps = ([getattr(k, n) for k in kernels] for n in ("size", "stride"))
    named = {} if divisor_override is None else {"divisor_override": divisor_override}

    def apply(t: Tensor, stride: Size = steps, **other: Any) -> Tensor:
        return func(t, sizes, stride, **{**named, **other})

    return Slide("average", apply, kernels, input.shape[1], padding_counts=count_include_pad, divisor=divisor_override)


def _pool(
    func: Function, input: Map, size: Size, stride: Size | None, padding: Size, dilation: Size, ceil: bool
) -> tuple[Kernel, ...]:
    axes = _checked(func, input)
    none = stride is None or (not isinstance(stride, int) and not len(stride))  # PyTorch also writes an empty list
    numbers = (each(v, axes) for v in (size, size if none else stride, dilation, padding))  # type: ignore[arg-type]
    kernels = checked(func, *(Kernel(k, s, d, p, p, bool(ceil)) for k, s, d, p in zip(*numbers, strict=True)))
    for kernel in kernels:
        if kernel.before > kernel.size // 2:
            raise ValueError(f"a pool of {kernel.size} may pad by half its size at most, not by {kernel.before}")
    return kernels


def checked(func: Function, *kernels: Kernel) -> tuple[Kernel, ...]:
    """The kernels, if torch takes such numbers.

    Raises:
        ValueError: it does not.
    """
    for kernel in kernels:
        if min(kernel.size, kernel.stride, kernel.dilation) < 1 or kernel.before < 0:
            raise ValueError(
                f"{op_name(func)} with a kernel of {kernel.size}, a stride of {kernel.stride}, "
                f"a dilation of {kernel.dilation} and padding by {kernel.before}"
            )
    return kernels


def axes_named(func: Function) -> int:
    """How many axes of space a function's name says: 2 of max_pool2d."""
    return int(op_name(func).rstrip("d")[-1])


def _checked(func: Function, input: Map) -> int:
    """The axes of space of a plain map.

    Raises:
        Unknown: the map lies differently, or has another number of axes.
    """
    axes = axes_named(func)
    if not isinstance(input, Map):
        raise Unknown(f"{op_name(func)} with a map as its weight")
    if not input.form.is_plain or input.axes_of_space != axes:
        raise Unknown(f"{op_name(func)} of a map that does not lie as [N, C, {', '.join('DHW'[-axes:])}]")
    return axes


def _sides(padding: Size | str, sizes: Sequence[int], dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Padding before and after each axis."""
    if isinstance(padding, str):
        total = [(k - 1) * d if padding == "same" else 0 for k, d in zip(sizes, dilations, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    return [(p, p) for p in each(padding, len(sizes))]


def each(value: Size, axes: int) -> tuple[int, ...]:
    """One number an axis, of an argument that may be one number for all."""
    if isinstance(value, int):
        return (value,) * axes
    values = tuple(int(v) for v in value)
    return values * axes if len(values) == 1 else values
