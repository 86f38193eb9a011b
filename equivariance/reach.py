"""What each unit of a network sees, computed from the network itself: no weights, no pixels.

A `Reach` stands for a feature map and carries, per axis, which input pixels a unit sees and how many units at either
end see beyond the map's edge at some layer. Any network that runs on images runs on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._C import DisableTorchFunctionSubclass
from torch.nn.modules.utils import _pair

from equivariance.errors import UserError

METHOD = torch.Tensor


@dataclass(frozen=True)
class Axis:
    """One axis of a feature map: unit i sees the input pixels stride*i + first ... stride*i + last.

    Args:
        size: units.
        stride: pixels from one unit to the next.
        first: first pixel that unit 0 sees; negative where it lies outside the image.
        last: last pixel that unit 0 sees.
        head: units at the start that see beyond an edge, at this layer or before.
        tail: units at the end that do.
    """

    size: int
    stride: int = 1
    first: int = 0
    last: int = 0
    head: int = 0
    tail: int = 0

    @property
    def field(self) -> int:
        """Receptive field in pixels."""
        return self.last - self.first + 1

    def slide(self, kernel: int, stride: int, before: int, after: int, dilation: int, ceil: bool = False) -> Axis:
        """The axis after a sliding operation with the given padding before and after."""
        reach = (kernel - 1) * dilation
        room = self.size + before + after - reach - 1
        if room < 0:
            raise UserError("the image is too small for this network")
        size = room // stride + 1
        if ceil and (-(-room // stride)) * stride < self.size + before:  # a last window that starts inside
            size = -(-room // stride) + 1
        head = min(size, max(0, -(-(self.head + before) // stride)))
        # The last window that ends before the first unit of the tail.
        clear = (self.size - self.tail - 1 + before - reach) // stride + 1
        offset = -before * self.stride
        return Axis(
            size,
            self.stride * stride,
            self.first + offset,
            self.last + offset + reach * self.stride,
            head,
            min(size, max(0, size - max(clear, 0))),
        )

    def padded(self, before: int, after: int) -> Axis:
        """The axis with units of padding at its ends; negative numbers cut units off."""
        return Axis(
            self.size + before + after,
            self.stride,
            self.first - before * self.stride,
            self.last - before * self.stride,
            max(0, self.head + before),
            max(0, self.tail + after),
        )

    def joined(self, other: Axis) -> Axis:
        """The axis of a sum or concatenation: a unit sees what either of its parts saw."""
        if (self.size, self.stride) != (other.size, other.stride):
            raise UserError("two branches of the network do not align")
        return Axis(
            self.size,
            self.stride,
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.head, other.head),
            max(self.tail, other.tail),
        )


class Reach(Tensor):
    """A feature map without values.

    Args:
        channels: int.
        axes: rows and columns.
    """

    axes: tuple[Axis, Axis]

    @staticmethod
    def __new__(cls: type[Reach], channels: int, axes: tuple[Axis, Axis]) -> Reach:
        """A batch of one."""
        self = Tensor._make_wrapper_subclass(cls, (1, channels, axes[0].size, axes[1].size))
        self.axes = axes
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Looks `func` up among the operations whose reach is known."""
        kwargs = kwargs or {}
        if func in QUESTIONS:
            with DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if func in SAME_PLACE:
            return args[0]
        if func in JOINS:
            return _join([a for a in args if isinstance(a, Reach)])
        if func not in OPERATIONS:
            name = getattr(func, "__qualname__", repr(func))
            raise UserError(f"what {name} sees is not known; no certificate for this network")
        return OPERATIONS[func](*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached only by an operation that went around the tables."""
        raise UserError(f"what {func} sees is not known; no certificate for this network")


def reach(network: nn.Module, height: int, width: int) -> tuple[Axis, Axis]:
    """What the units of a network's feature map see of an image.

    Args:
        network: maps images [N, 3, H, W] to a feature map; or to a `Bounded` one.
        height: H in pixels.
        width: W in pixels.
    Returns: The rows' and the columns' axis.
    Raises: UserError: the network uses an operation whose reach is not known.
    Source: the usual recursion, field += (kernel - 1) * stride so far; Kayhan & van Gemert 2020, section 3.1.
    """
    found = network(Reach(3, (Axis(height), Axis(width))))
    return getattr(found, "content", found).axes


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
    return Reach(input.shape[1], (rows, columns))


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
    return Reach(input.shape[1], (rows.padded(top, bottom), columns.padded(left, right)))


def _cat(tensors: Any, dim: int = 0) -> Reach:
    channels = sum(t.shape[1] for t in tensors)
    return Reach(channels, _join(list(tensors)).axes)


def _getitem(input: Reach, key: Any) -> Reach:
    key = (*(key if isinstance(key, tuple) else (key,)), *(slice(None),) * 4)[:4]
    axes = list(input.axes)
    for i, part in enumerate(key[2:]):
        first, last, step = part.indices(axes[i].size)
        if step != 1:
            raise UserError("what a strided slice sees is not known; no certificate for this network")
        axes[i] = axes[i].padded(-first, last - axes[i].size)
    return Reach(len(range(input.shape[1])[key[1]]), (axes[0], axes[1]))


def _join(maps: list[Reach]) -> Reach:
    rows, columns = maps[0].axes
    for other in maps[1:]:
        rows, columns = rows.joined(other.axes[0]), columns.joined(other.axes[1])
    return Reach(maps[0].shape[1], (rows, columns))


OPERATIONS: dict[Any, Callable[..., Reach]] = {
    F.conv2d: _conv2d,
    torch.conv2d: _conv2d,
    F.max_pool2d: _max_pool,
    torch.max_pool2d: _max_pool,
    F.avg_pool2d: _avg_pool,
    F.pad: _pad,
    torch.cat: _cat,
    METHOD.__getitem__: _getitem,
}
SAME_PLACE = {
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh, F.softplus),
    *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, torch.clamp, METHOD.relu, METHOD.relu_, METHOD.sigmoid),
    *(METHOD.clamp, METHOD.tanh, METHOD.contiguous, METHOD.detach, METHOD.to, METHOD.clone),
    *(F.batch_norm, F.layer_norm, F.linear, F.dropout, F.dropout2d, METHOD.permute, torch.permute),
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
