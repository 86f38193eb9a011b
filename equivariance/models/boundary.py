"""Convolution types: how a network meets the boundary, for any network, without touching it.

A published network pads each layer so that its output index j looks at the input around index s*j. Here that index
grid is kept and only its extent changes: `full` keeps every output whose kernel touches the map (outside it is zero),
`valid` would keep those whose kernel lies inside it. As every tensor carries the index of its first row and column,
shortcuts and concatenations align by themselves: union of the extents for `full`.

A strided layer has a free choice, its phase. The first layer that reaches a stride takes the one at which its first
window touches the map by one pixel (padding k-1, as the authors do); later layers at that stride follow it, so a
projection shortcut samples where its main branch does (Kayhan & van Gemert 2020; sizes as in their released ResNets).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch._C import DisableTorchFunctionSubclass

Pair = tuple[int, int]
# Absolute position in pixels of index 0 at each total stride, per axis: shared by all tensors of one forward pass.
Phases = dict[tuple[int, int], int]


class Bounded(Tensor):
    """A feature map that knows where on its layer's index grid it starts.

    Args:
        content: the map [N, C, H, W]; a plain tensor or a canvas.
        start: index of its first row and column on the published network's grid; negative where the map has grown.
        total_stride: pixels from one row to the next, and from one column to the next.
        phases: see `Phases`.
    """

    content: Tensor
    start: Pair
    total_stride: Pair
    phases: Phases

    @staticmethod
    def __new__(cls: type[Bounded], content: Tensor, start: Pair, total_stride: Pair, phases: Phases) -> Bounded:
        """Wraps without copying; autograd runs through `content`."""
        self = Tensor._make_wrapper_subclass(cls, content.shape, dtype=content.dtype, device=content.device)
        self.content, self.start, self.total_stride, self.phases = content, start, total_stride, phases
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Looks `func` up among the operations that have a meaning on a bounded map."""
        from equivariance.models.bounded_ops import OPERATIONS, QUESTIONS, refuse

        if func in QUESTIONS:
            with DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        return OPERATIONS.get(func, refuse(func))(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached only by an operation that went around the table; it has no meaning here."""
        from equivariance.models.bounded_ops import refuse

        return refuse(func)()

    def like(self, content: Tensor) -> Bounded:
        """The same place on the grid with other content."""
        return Bounded(content, self.start, self.total_stride, self.phases)


def full(images: Tensor) -> Bounded:
    """Starts a forward pass with full convolution.

    Args:
        images: [N, C, H, W], a plain tensor or a canvas.
    Returns: The same images; every layer that follows keeps each output whose kernel touches its input.
    """
    return Bounded(images, (0, 0), (1, 1), {(0, 1): 0, (1, 1): 0})


def window(x: Bounded, axis: int, kernel: int, stride: int, padding: int, dilation: int) -> tuple[int, int, int]:
    """Padding before and after one axis, and the first output's index, of a sliding operation.

    Args:
        x: the operation's input.
        axis: 0 for rows, 1 for columns.
        kernel: the published layer's, in this layer's pixels; so are the others.
        stride: the step of the kernel.
        padding: says where the index grid lies.
        dilation: the step between the kernel's taps.
    Returns: (before, after, first): negative paddings crop.
    """
    reach, start, size = (kernel - 1) * dilation, x.start[axis], x.shape[2 + axis]
    phase = _phase(x, axis, stride, start + padding - reach)
    first = -((phase + reach - start - padding) // stride)
    last = (start + size - 1 + padding - phase) // stride
    before = start - (stride * first - padding + phase)
    after = (stride * last - padding + phase + reach) - (start + size - 1)
    return before, after, first


def _phase(x: Bounded, axis: int, stride: int, wished: int) -> int:
    """Offset of output index 0 within its stride, in input pixels: taken from the first layer at this total stride."""
    if stride == 1:
        return 0
    here, total = x.phases[axis, x.total_stride[axis]], x.total_stride[axis] * stride
    absolute = x.phases.setdefault((axis, total), here + x.total_stride[axis] * (wished % stride))
    phase, rest = divmod(absolute - here, x.total_stride[axis])
    if rest:
        raise ValueError(f"two branches reach stride {total} at positions that are not aligned")
    return phase


def aligned(maps: list[Bounded]) -> tuple[list[Tensor], Bounded]:
    """The maps' contents over the union of their extents, zero outside each, and a map that starts there."""
    top, left = (min(m.start[axis] for m in maps) for axis in (0, 1))
    bottom, right = (max(m.start[axis] + m.shape[2 + axis] for m in maps) for axis in (0, 1))
    contents = []
    for m in maps:
        (y, x), (height, width) = m.start, m.shape[2:]
        margins = (x - left, right - x - width, y - top, bottom - y - height)
        contents.append(F.pad(m.content, margins) if any(margins) else m.content)
    return contents, Bounded(contents[0], (top, left), maps[0].total_stride, maps[0].phases)


Slide = Callable[[Tensor], Tensor]


def slide(x: Bounded, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, apply: Slide) -> Bounded:
    """A sliding operation at every index whose kernel touches the map, which is continued by zeros."""
    geometry = [window(x, a, kernel[a], stride[a], padding[a], dilation[a]) for a in (0, 1)]
    (top, bottom, row), (left, right, column) = geometry
    content = apply(F.pad(x.content, (left, right, top, bottom)))
    total = (x.total_stride[0] * stride[0], x.total_stride[1] * stride[1])
    return Bounded(content, (row, column), total, x.phases)


def unwrap(value: Any) -> Any:
    """The plain tensor or canvas inside, for anything that is not about place."""
    return value.content if isinstance(value, Bounded) else value
