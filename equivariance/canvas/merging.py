"""Ops on several canvases of one batch: arithmetic and cat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .alignment import Joint, combine
from .canvas import Canvas
from .dispatch import Op, op_name, rule, rules
from .errors import CanvasUnsupported
from .gather import index_tensor
from .pieces import Ground, Spot, Window


def arithmetic(op: Op) -> Op:
    """The rule of a pointwise function of two operands, of which at least one is a canvas."""

    def run(input: Any, other: Any, **kwargs: Any) -> Tensor:
        if isinstance(input, Canvas) and isinstance(other, Canvas):
            return combine([input, other], lambda tensors: op(*tensors, **kwargs)).settle()
        canvas, operand = (input, other) if isinstance(input, Canvas) else (other, input)
        if _is_dense_partner(canvas, operand):
            return op(_opened(input), _opened(other), **kwargs)
        _check_operand(op, operand)
        return canvas.map(lambda t: op(t, operand, **kwargs) if canvas is input else op(operand, t, **kwargs))

    return run


def arithmetic_in_place(op: Op) -> Op:
    """The rule of the in-place form of such a function; the canvas takes the result over."""

    def run(input: Tensor, other: Any, **kwargs: Any) -> Tensor:
        if not isinstance(input, Canvas):
            return input.copy_(op(input, _opened(other), **kwargs))
        if isinstance(other, Canvas):
            return input.become(combine([input, other], lambda tensors: op(*tensors, **kwargs)))
        if _is_dense_partner(input, other):
            return input.become(_wrapped(input, op(input.opened(), other, **kwargs)))
        _check_operand(op, other)
        return input.become(input.map(lambda t: op(t, other, **kwargs)))

    return run


@rule(torch.cat, torch.concat, torch.concatenate)
def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """torch.cat along channels, [N, C_i, H, W] each to [N, ΣC_i, H, W]."""
    dim = dim if axis is None else axis
    if dim % 4 != 1:
        raise CanvasUnsupported(f"cat along dimension {dim}")
    canvases = [tensor for tensor in tensors if isinstance(tensor, Canvas)]
    if len(canvases) < len(tensors):
        return torch.cat([_opened(tensor) for tensor in tensors], dim)
    return combine(canvases, _cat_channels, Joint.cat_channels).settle()


def _cat_channels(tensors: list[Tensor]) -> Tensor:
    return torch.cat(tensors, 1)


def _opened(value: Any) -> Any:
    return value.opened() if isinstance(value, Canvas) else value


def _is_dense_partner(canvas: Canvas, operand: Any) -> bool:
    """An ordinary tensor for the whole map, such as a branch whose windows already filled it."""
    return isinstance(operand, Tensor) and operand.dim() == 4 and operand.shape[2:] == canvas.shape[2:] != (1, 1)


def _check_operand(op: Op, operand: Any) -> None:
    """Only numbers and one value per channel treat every cell and every image alike."""
    if not isinstance(operand, Tensor) or operand.dim() == 0:
        return
    if operand.dim() == 4 and operand.shape[0] != 1:
        reason = "images would no longer share one background"
        raise CanvasUnsupported(f"{op.__name__} of a canvas and a tensor of {list(operand.shape)}", reason)
    if operand.dim() > 4 or any(n != 1 for n in operand.shape[-2:]):
        raise CanvasUnsupported(f"{op.__name__} of a canvas and a tensor of {list(operand.shape)}")


def _wrapped(canvas: Canvas, tensor: Tensor) -> Canvas:
    """A whole map as a canvas of the same batch, for in-place ops, which cannot change their operand's type."""
    windows = [
        Window(tensor.index_select(0, index_tensor(np.array(images), tensor.device)), (Spot(group, 0, 0),))
        for group, images in enumerate(canvas.members)
    ]
    box = canvas.ground.box
    return canvas.like(Ground(tensor.new_zeros(1, tensor.shape[1], 1, 1), (box.bottom,), (box.right,)), windows)


def _swapped(op: Op) -> Op:
    def swapped(input: Any, other: Any) -> Any:
        return op(other, input)

    swapped.__name__ = op_name(op)
    return swapped


rules("add sub mul div true_divide maximum minimum", arithmetic, torch, Tensor)
for _dunder, _name in {
    "__add__": "add",
    "__radd__": "add",
    "__sub__": "sub",
    "__mul__": "mul",
    "__rmul__": "mul",
}.items():
    rule(getattr(Tensor, _dunder))(arithmetic(getattr(torch, _name)))
rule(Tensor.__truediv__)(arithmetic(torch.div))
rule(Tensor.__rsub__)(arithmetic(_swapped(torch.sub)))
rule(Tensor.__rtruediv__)(arithmetic(_swapped(torch.div)))
for _name in ("add", "sub", "mul", "div"):
    _augmented = "__itruediv__" if _name == "div" else f"__i{_name}__"
    rule(getattr(Tensor, f"{_name}_"), getattr(Tensor, _augmented))(arithmetic_in_place(getattr(torch, _name)))
