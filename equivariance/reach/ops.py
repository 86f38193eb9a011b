"""What each operation of a network sees (`Reach`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair

from equivariance.errors import UserError
from equivariance.reach import Reach

METHOD = torch.Tensor


def _conv2d(
    input: Reach,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Reach:
    kernel, dilation = tuple(weight.shape[2:]), _pair(dilation)
    if isinstance(padding, str):
        total = [(k - 1) * d if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    else:
        sides = [(p, p) for p in _pair(padding)]
    stride = _pair(stride)
    rows, columns = (a.slide(kernel[i], stride[i], *sides[i], dilation[i]) for i, a in enumerate(input.axes))
    return Reach(weight.shape[0], (rows, columns))


def _pool(
    input: Reach, kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: Any = False, **_: Any
) -> Reach:
    kernel, padding, dilation = _pair(kernel), _pair(padding), _pair(dilation)
    stride = _pair(kernel if stride in (None, []) else stride)
    rows, columns = (
        a.slide(kernel[i], stride[i], padding[i], padding[i], dilation[i], bool(ceil_mode))
        for i, a in enumerate(input.axes)
    )
    return Reach(input.channels, (rows, columns))


def _max_pool(
    input: Reach, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **rest: Any
) -> Reach:
    return _pool(input, kernel_size, stride, padding, dilation, rest.get("ceil_mode", False))


def _avg_pool(
    input: Reach, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, *_: Any
) -> Reach:
    return _pool(input, kernel_size, stride, padding, 1, ceil_mode)


def _pad(input: Reach, pad: Any, mode: str = "constant", value: float | None = None) -> Reach:
    left, right, top, bottom = (*pad, 0, 0, 0, 0)[:4]
    rows, columns = input.axes
    return Reach(input.channels, (rows.padded(top, bottom, mode), columns.padded(left, right, mode)))


def _cat(tensors: Any, dim: int = 0) -> Reach:
    maps = list(tensors)
    if dim not in (1, -3) or not all(isinstance(m, Reach) and not m.channels_last for m in maps):
        raise UserError("what a concatenation with other than maps sees is not known; no certificate for this network")
    return Reach(sum(m.channels for m in maps), _join(maps).axes)


def _getitem(input: Reach, key: Any) -> Reach:
    key = (*(key if isinstance(key, tuple) else (key,)), *(slice(None),) * 4)[:4]
    if not all(isinstance(part, slice) for part in key):
        raise UserError("what an index sees is not known; no certificate for this network")
    axes = list(input.axes)
    for i, part in enumerate(key[2:]):
        first, last, step = part.indices(axes[i].size)
        if step != 1:
            raise UserError("what a strided slice sees is not known; no certificate for this network")
        axes[i] = axes[i].padded(-first, last - axes[i].size)
    return Reach(len(range(input.channels)[key[1]]), (axes[0], axes[1]))


def joined(parts: Any) -> Reach:
    """A sum or product of maps, or of a map and factors that are the same at every pixel."""
    maps = [p for p in parts if isinstance(p, Reach)]
    for part in parts:
        if isinstance(part, Tensor) and not isinstance(part, Reach) and not _flat(part, maps[0].channels_last):
            raise UserError("a map meets a tensor that differs from pixel to pixel; no certificate for this network")
    return _join(maps)


def _flat(factor: Tensor, channels_last: bool) -> bool:
    """Whether a plain tensor is the same at every pixel of the map it is broadcast to."""
    if factor.numel() == 1:
        return True
    sides = factor.shape[-3:-1] if channels_last else factor.shape[-2:]
    return (channels_last or factor.dim() >= 2) and all(side == 1 for side in sides)


def _permute(input: Reach, *order: Any) -> Reach:
    order = tuple(order[0]) if len(order) == 1 else order
    turns = {(False, (0, 2, 3, 1)): True, (True, (0, 3, 1, 2)): False}
    if (input.channels_last, order) not in turns:
        raise UserError(f"what a permutation by {order} sees is not known; no certificate for this network")
    return Reach(input.channels, input.axes, turns[input.channels_last, order])


def _linear(input: Reach, weight: Tensor, bias: Tensor | None = None) -> Reach:
    return Reach(weight.shape[0], input.axes, True)


def _layer_norm(input: Reach, normalized_shape: Any, *_: Any) -> Reach:
    if len(normalized_shape) != 1:
        raise UserError("a normalisation over pixels sees all of them; no certificate for this network")
    return input


def _join(maps: list[Reach]) -> Reach:
    if any(m.channels_last != maps[0].channels_last for m in maps):
        raise UserError("two branches of the network do not align")
    rows, columns = maps[0].axes
    for other in maps[1:]:
        rows, columns = rows.joined(other.axes[0]), columns.joined(other.axes[1])
    return Reach(maps[0].channels, (rows, columns), maps[0].channels_last)


OPERATIONS: dict[Any, Callable[..., Reach]] = {
    F.conv2d: _conv2d,
    torch.conv2d: _conv2d,
    F.max_pool2d: _max_pool,
    torch.max_pool2d: _max_pool,
    F.avg_pool2d: _avg_pool,
    F.pad: _pad,
    torch.cat: _cat,
    METHOD.__getitem__: _getitem,
    METHOD.permute: _permute,
    torch.permute: _permute,
    F.batch_norm: lambda input, *_, **__: input,
    F.dropout2d: lambda input, *_, **__: input,
}
# On [N, H, W, C].
TURNED: dict[Any, Callable[..., Reach]] = {
    METHOD.permute: _permute,
    torch.permute: _permute,
    F.linear: _linear,
    F.layer_norm: _layer_norm,
}
SAME_PLACE = {
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh, F.softplus),
    *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, torch.clamp, METHOD.relu, METHOD.relu_, METHOD.sigmoid),
    *(METHOD.clamp, METHOD.tanh, METHOD.contiguous, METHOD.detach, METHOD.to, METHOD.clone),
    *(F.dropout, torch.reciprocal, METHOD.reciprocal),
}
JOINS = {
    *(torch.add, METHOD.add, METHOD.__add__, METHOD.__radd__, METHOD.__iadd__, METHOD.add_),
    *(torch.mul, METHOD.mul, METHOD.__mul__, METHOD.__rmul__, METHOD.__imul__),
    *(torch.sub, METHOD.sub, METHOD.__sub__, torch.div, METHOD.div, METHOD.__truediv__),
}
QUESTIONS = {METHOD.size, METHOD.dim, METHOD.numel, METHOD.is_floating_point}
QUESTIONS |= {
    getattr(METHOD, name).__get__
    for name in ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda", "layout", "is_mkldnn", "is_sparse")
}
