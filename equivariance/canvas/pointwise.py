"""Ops that treat every cell alike: activations, casts, dropout that is off."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas
from .dispatch import Op, rule, rules
from .errors import CanvasUnsupported

_ACTIVATIONS = """
    celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish prelu relu relu6 selu sigmoid
    silu softplus softshrink softsign tanh tanhshrink threshold
"""
_MATHS = """
    abs absolute atan ceil clamp clamp_max clamp_min clip cos erf exp expm1 floor log log1p neg negative nan_to_num pow
    positive reciprocal relu round rsqrt sigmoid sign sin sqrt square tanh __neg__ __abs__ __pow__
"""
_CASTS = "bfloat16 clone contiguous cpu cuda double float half to type"


def copying(op: Op) -> Op:
    """The rule of a pointwise op; with inplace=True it takes the result over into the canvas itself."""
    place = _position(op, "inplace")

    def run(input: Canvas, *args: Any, **kwargs: Any) -> Tensor:
        _refuse_canvas_operands(op, args, kwargs)
        inplace = bool(kwargs.pop("inplace", False))
        if place is not None and len(args) >= place:
            inplace, args = bool(args[place - 1]), (*args[: place - 1], *args[place:])
        result = input.map(lambda t: op(t, *args, **kwargs))
        if inplace:
            return input.become(result)
        # A cast to what it is already is the tensor itself.
        unchanged = all(new is old for new, old in zip(result.parts(), input.parts(), strict=True))
        return input if unchanged else result

    return run


def in_place(name: str) -> Callable[[Op], Op]:
    """The rule of the in-place form of a pointwise op."""

    def make(op: Op) -> Op:
        outer = getattr(torch, name, None) or getattr(Tensor, name)

        def run(input: Canvas, *args: Any, **kwargs: Any) -> Tensor:
            _refuse_canvas_operands(op, args, kwargs)
            return input.become(input.map(lambda t: outer(t, *args, **kwargs)))

        return run

    return make


@rule(F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout, torch.dropout)
def dropout(input: Canvas, p: float = 0.5, training: bool = True, inplace: bool = False) -> Canvas:
    """Dropout that is off, [N, C, H, W] unchanged."""
    if training and p:
        raise CanvasUnsupported("dropout in training mode", "its noise differs from cell to cell")
    return input


@rule(Tensor.detach)
def detach(input: Canvas) -> Canvas:
    """The canvas without its history; still the same memory."""
    return input.viewed_as(input.map(Tensor.detach))


def _position(op: Op, name: str) -> int | None:
    """Where a python function takes an argument, None for builtins, which have none called inplace."""
    try:
        names = list(inspect.signature(op).parameters)
    except (TypeError, ValueError):
        return None
    return names.index(name) if name in names else None


def _refuse_canvas_operands(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for operand in (*args, *kwargs.values()):
        if isinstance(operand, Tensor) and operand.numel() > 1 and op not in (F.prelu, torch.prelu):
            raise CanvasUnsupported(f"{getattr(op, '__name__', op)} of a canvas and a tensor of {list(operand.shape)}")


rules(_ACTIVATIONS, copying, F)
rules(_MATHS, copying, torch, Tensor)
rules(_CASTS, copying, Tensor)
for _name in _MATHS.split():
    rules(f"{_name}_", in_place(_name), torch, Tensor)
