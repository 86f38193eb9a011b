"""What each operation of a network does on a bounded map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair

from equivariance.errors import UserError
from equivariance.models.boundary.bounded import Bounded, aligned, unwrap
from equivariance.models.boundary.rules import Window

OPERATIONS: dict[Any, Callable[..., Any]] = {}
METHOD = torch.Tensor


def operation(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers what the given torch functions do on bounded maps."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS.update(dict.fromkeys(functions, run))
        return run

    return register


def refuse(func: Any, args: Any = ()) -> Callable[..., Any]:
    """A function that says in one line that `func` has no meaning on a bounded map."""

    def run(*_: Any, **__: Any) -> Any:
        found = next((a for a in args if isinstance(a, Bounded)), None)
        conv = found.rule.name if found is not None else "…"
        name = getattr(func, "__qualname__", None) or getattr(func, "__name__", repr(func))
        raise UserError(f"conv={conv}: the network uses {name}, which has no meaning there; use conv=same")

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
    """Convolution; the published padding says where the index grid lies."""
    kernel, stride, dilation = weight.shape[2:], _pair(stride), _pair(dilation)
    sides = _sides(padding, kernel, dilation)
    windows = [Window(kernel[a], stride[a], *sides[a], dilation[a]) for a in (0, 1)]

    def apply(x: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias, stride, 0, dilation, groups)

    if input.rule.outside == "ignored" and max(kernel) > 1:
        return _partial(input, weight, bias, stride, dilation, groups, (windows[0], windows[1]))
    return input.slide((windows[0], windows[1]), input.rule.outputs, apply)


def _sides(padding: Any, kernel: Any, dilation: Any) -> list[tuple[int, int]]:
    """Published padding before and after each axis."""
    if isinstance(padding, str):
        total = [(k - 1) * d if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    return [(p, p) for p in _pair(padding)]


def _partial(
    input: Bounded, weight: Tensor, bias: Any, stride: Any, dilation: Any, groups: int, windows: tuple[Window, Window]
) -> Bounded:
    """Partial convolution: the sum over the taps inside, scaled by all taps over those inside.

    Source: Liu et al. 2018 (arXiv 1811.11718), equation 3.
    """
    ones = torch.ones(1, 1, *weight.shape[2:], dtype=weight.dtype, device=weight.device)

    def count(x: Tensor) -> Tensor:
        return F.conv2d(x, ones, None, stride, 0, dilation)

    def apply(x: Tensor) -> Tensor:
        return F.conv2d(x, weight, None, stride, 0, dilation, groups)

    inside = Bounded(input.content[:, :1] * 0 + 1, input.passage, input.start, input.total_stride, None, input.margins)
    taps = inside.slide(windows, input.rule.outputs, count).content
    found = input.slide(windows, input.rule.outputs, apply)
    scaled = found.content * (taps.clamp(min=1).reciprocal() * ones.numel())  # no tap inside: 0
    return found.map(lambda _: scaled if bias is None else scaled + bias[None, :, None, None])


@operation(F.pad)
def pad(input: Bounded, pad: Any, mode: str = "constant", value: float | None = None) -> Bounded:
    """Explicit zero padding counts as the next layer's own."""
    if mode != "constant" or value or min(pad) < 0 or any(pad[4:]):
        raise UserError(f"conv={input.rule.name}: the network pads by {mode} {value or ''}; only zeros are known there")
    margins = tuple(m + p for m, p in zip(input.margins, (*pad, 0, 0, 0, 0)[:4], strict=True))
    return Bounded(
        input.content,
        input.passage,
        input.start,
        input.total_stride,
        input.background,
        margins,
    )


@operation(torch.cat, torch.concat)
def cat(tensors: Any, dim: int = 0) -> Bounded:
    """Concatenation along channels over one extent."""
    maps = list(tensors)
    contents, place = aligned(maps)
    background = None if place.background is None else torch.cat([m.background for m in maps], dim)
    return Bounded(torch.cat(contents, dim), place.passage, place.start, place.total_stride, background)


@operation(METHOD.__getitem__)
def getitem(input: Bounded, key: Any) -> Bounded:
    """Slices of channels, and crops at the bottom and right as published shortcuts make them."""
    parts = (*(key if isinstance(key, tuple) else (key,)), *(slice(None),) * 4)[:4]
    if any(not isinstance(k, slice) or k.start or k.step for k in parts[2:]):
        raise UserError(f"conv={input.rule.name}: the network crops at the top or left; use conv=same")
    cut = any(k.indices(n)[1] < n for k, n in zip(parts[2:], input.shape[2:], strict=True))
    if cut and input.rule.outputs == "touching":
        raise UserError(
            f"conv={input.rule.name}: the network crops the map, which then loses what it grew by; use conv=same"
        )
    background = None if input.background is None else input.background[:, parts[1]]
    return Bounded(input.content[parts], input.passage, input.start, input.total_stride, background, input.margins)


@operation(F.batch_norm)
def batch_norm(input: Bounded, running_mean: Any, running_var: Any, *rest: Any, **named: Any) -> Bounded:
    """Batch normalisation; in training, statistics are over the map as it is.

    For `unbounded` they are over the map and one ring of background, whose normalised value is the background's: the
    same population wherever the picture lies.
    """
    training = named.get("training", rest[2] if len(rest) > 2 else False)

    def apply(x: Tensor) -> Tensor:
        return F.batch_norm(x, running_mean, running_var, *rest, **named)

    background = input.background
    if background is None or not training:
        return input.map(apply)
    (y, x), (height, width) = input.start, input.shape[2:]
    ringed = apply(input.over((y - 1, x - 1), (y + height + 1, x + width + 1)))
    corner = ringed[:, :, :1, :1]
    corner = corner.dense() if hasattr(corner, "dense") else corner
    return Bounded(ringed[:, :, 1:-1, 1:-1], input.passage, input.start, input.total_stride, corner[: len(background)])


def _same_place(func: Any) -> Callable[..., Bounded]:
    """An operation on each pixel alone: the place stays, and the background is treated alike."""

    def run(input: Bounded, *args: Any, **kwargs: Any) -> Bounded:
        return input.map(lambda x: func(x, *args, **kwargs))

    return run


def _joined(func: Any) -> Callable[..., Bounded]:
    """An operation on two maps, or on a map and a factor per channel or image."""

    def run(a: Any, b: Any, **kwargs: Any) -> Bounded:
        if not (isinstance(a, Bounded) and isinstance(b, Bounded)):
            place = a if isinstance(a, Bounded) else b
            return place.map(lambda x: func(x, b, **kwargs) if place is a else func(a, x, **kwargs))
        (left, right), place = aligned([a, b])
        background = None if place.background is None else func(a.background, b.background, **kwargs)
        return Bounded(func(left, right, **kwargs), place.passage, place.start, place.total_stride, background)

    return run


def _plain(func: Any) -> Callable[..., Any]:
    """An operation that ends the map: global pooling."""

    def run(*args: Any, **kwargs: Any) -> Any:
        return func(*(unwrap(a) for a in args), **{k: unwrap(v) for k, v in kwargs.items()})

    return run


_func: Any
for _func in (
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh, F.softplus),
    *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, torch.clamp, METHOD.relu, METHOD.relu_, METHOD.sigmoid),
    *(METHOD.clamp, METHOD.tanh, METHOD.contiguous, METHOD.detach, METHOD.permute, torch.permute, METHOD.to),
    *(F.layer_norm, F.linear, F.dropout, F.dropout2d, METHOD.clone),
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
