"""What each operation of a network does on a bounded map (`boundary.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair

from equivariance.errors import UserError
from equivariance.models.boundary import Bounded, aligned, slide, unwrap

OPERATIONS: dict[Any, Callable[..., Any]] = {}
METHOD = torch.Tensor


def operation(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers what the given torch functions do on bounded maps."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS.update(dict.fromkeys(functions, run))
        return run

    return register


def refuse(func: Any) -> Callable[..., Any]:
    """A function that says in one line that `func` has no meaning on a bounded map."""

    def run(*args: Any, **kwargs: Any) -> Any:
        name = getattr(func, "__qualname__", None) or getattr(func, "__name__", repr(func))
        raise UserError(f"conv=full: the network uses {name}, which is not defined there; use conv=same")

    return run


@operation(F.conv2d, torch.conv2d)
def conv2d(
    input: Bounded,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Bounded:
    """Full convolution; the published padding only says where the index grid lies."""
    kernel, dilation = (weight.shape[2], weight.shape[3]), _pair(dilation)
    if isinstance(padding, str):
        reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        padding = [r // 2 for r in reach] if padding == "same" else [0, 0]

    def apply(x: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias, stride, 0, dilation, groups)

    return slide(input, kernel, _pair(stride), _pair(padding), dilation, apply)


@operation(F.max_pool2d, torch.max_pool2d)
def max_pool2d(
    input: Bounded, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **rest: Any
) -> Bounded:
    """Max pooling of the map continued by zeros, as convolution sees it; `ceil_mode` has no meaning here."""
    stride = _pair(kernel_size if stride in (None, []) else stride)

    def apply(x: Tensor) -> Tensor:
        return F.max_pool2d(x, kernel_size, stride, 0, dilation)

    return slide(input, _pair(kernel_size), stride, _pair(padding), _pair(dilation), apply)


@operation(F.avg_pool2d)
def avg_pool2d(input: Bounded, kernel_size: Any, stride: Any = None, padding: Any = 0, *args: Any) -> Bounded:
    """Average pooling of the map continued by zeros, which count as pixels."""
    stride = _pair(kernel_size if stride in (None, []) else stride)

    def apply(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel_size, stride)

    return slide(input, _pair(kernel_size), stride, _pair(padding), (1, 1), apply)


@operation(F.pad)
def pad(input: Bounded, pad: list[int], mode: str = "constant", value: float | None = None) -> Bounded:
    """Explicit zero padding moves the index grid, as a layer's own padding does; the map stays."""
    if mode != "constant" or value:
        raise UserError(f"conv=full: the network pads by {mode} {value or ''}; only zero padding has a full form")
    if any(pad[4:]):
        raise UserError("conv=full: the network pads channels, which is not defined there; use conv=same")
    (y, x), (left, _, top, _) = input.start, (*pad, 0, 0)[:4]
    return Bounded(input.content, (y + top, x + left), input.total_stride, input.phases)


@operation(torch.cat, torch.concat)
def cat(tensors: list[Bounded], dim: int = 0) -> Bounded:
    """Concatenation along channels over the union of the extents."""
    contents, place = aligned(list(tensors))
    return place.like(torch.cat(contents, dim))


@operation(METHOD.__getitem__)
def getitem(input: Bounded, key: Any) -> Bounded:
    """Crops at the bottom and right (published shortcuts do) and slices of channels."""
    rows_columns = (key if isinstance(key, tuple) else (key,))[2:]
    if any(isinstance(k, slice) and (k.start or k.step) for k in rows_columns):
        raise UserError("conv=full: the network crops at the top or left, which is not defined there; use conv=same")
    return input.like(input.content[key])


def _same_place(func: Any) -> Callable[..., Bounded]:
    """An operation on each pixel alone: the place stays."""

    def run(input: Bounded, *args: Any, **kwargs: Any) -> Bounded:
        return input.like(func(input.content, *args, **kwargs))

    return run


def _joined(func: Any) -> Callable[..., Bounded]:
    """An operation on two maps, or on a map and a factor per channel or image."""

    def run(a: Any, b: Any, **kwargs: Any) -> Bounded:
        if isinstance(a, Bounded) and isinstance(b, Bounded):
            (left, right), place = aligned([a, b])
            return place.like(func(left, right, **kwargs))
        place = a if isinstance(a, Bounded) else b
        return place.like(func(unwrap(a), unwrap(b), **kwargs))

    return run


def _plain(func: Any) -> Callable[..., Any]:
    """An operation that ends the map (global pooling) or only asks about it."""

    def run(*args: Any, **kwargs: Any) -> Any:
        return func(*(unwrap(a) for a in args), **{k: unwrap(v) for k, v in kwargs.items()})

    return run


_func: Any
for _func in (
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh, F.softplus),
    *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, torch.clamp, METHOD.relu, METHOD.relu_, METHOD.sigmoid),
    *(METHOD.clamp, METHOD.tanh, METHOD.contiguous, METHOD.detach, METHOD.permute, torch.permute, METHOD.to),
    *(F.batch_norm, F.layer_norm, F.linear, F.dropout, F.dropout2d, METHOD.clone),
):
    OPERATIONS[_func] = _same_place(_func)

for _func, _names in (
    (torch.add, ("add", "__add__", "__radd__", "__iadd__", "add_")),
    (torch.mul, ("mul", "__mul__", "__rmul__", "__imul__", "mul_")),
    (torch.sub, ("sub", "__sub__")),
    (torch.div, ("div", "__truediv__")),
):
    for _target in (_func, *(getattr(METHOD, n) for n in _names)):
        OPERATIONS[_target] = _joined(_func)

for _func in (
    *(F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.mean, METHOD.mean, torch.amax, METHOD.amax),
    *(torch.flatten, METHOD.flatten),
):
    OPERATIONS[_func] = _plain(_func)

# Questions about shape and type, which the wrapper itself answers.
QUESTIONS = {METHOD.size, METHOD.dim, METHOD.numel, METHOD.is_floating_point, METHOD.__len__}
QUESTIONS |= {
    getattr(METHOD, name).__get__
    for name in ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda", "layout", "is_mkldnn", "is_sparse")
}
