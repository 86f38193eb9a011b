"""Ops on several canvases of one batch: arithmetic and cat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import axes
from .canvas import Canvas, alike
from .dispatch import Op, rule, rules
from .errors import CanvasUnsupported
from .gather import take_cells
from .pieces import Box, Ground, Spot, Window
from .pointwise import overwrite

_ARITHMETIC = "add sub mul div true_divide maximum minimum".split()


@dataclass(frozen=True)
class Joint:
    """What some groups show on every operand over one common box, [n, C_i, h, w] each; one computation for all spots."""

    tensors: list[Tensor]
    spots: tuple[Spot, ...]


def arithmetic(op: Op) -> Op:
    """The rule of a pointwise function of two operands, of which at least one is a canvas."""

    def run(input: Any, other: Any, **kwargs: Any) -> Tensor:
        if isinstance(input, Canvas) and isinstance(other, Canvas):
            return _combine([input, other], lambda a, b: op(a, b, **kwargs)).settle()
        canvas, operand = (input, other) if isinstance(input, Canvas) else (other, input)
        if _is_dense_partner(canvas, operand):
            return op(_opened(input), _opened(other), **kwargs)
        _check_operand(op, operand)
        return canvas.map(lambda t: op(t, operand, **kwargs) if canvas is input else op(operand, t, **kwargs))

    return run


def arithmetic_in_place(name: str) -> Callable[[Op], Op]:
    """The rule of the in-place form of such a function; the canvas takes the result over."""

    def make(_: Op) -> Op:
        op = getattr(torch, name)

        def run(input: Tensor, other: Any, **kwargs: Any) -> Tensor:
            if not isinstance(input, Canvas):
                return getattr(input, f"{name}_")(_opened(other), **kwargs)
            if isinstance(other, Canvas):
                return overwrite(input, _combine([input, other], lambda a, b: op(a, b, **kwargs)))
            if _is_dense_partner(input, other):
                return overwrite(input, _wrapped(input, op(input.dense(), other, **kwargs)))
            _check_operand(op, other)
            return overwrite(input, input.map(lambda t: op(t, other, **kwargs)))

        return run

    return make


@rule(torch.cat, torch.concat, torch.concatenate)
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """torch.cat along channels, [N, C_i, H, W] each to [N, ΣC_i, H, W]."""
    if dim % 4 != 1:
        raise CanvasUnsupported(f"cat along dimension {dim}")
    canvases = [tensor for tensor in tensors if isinstance(tensor, Canvas)]
    if len(canvases) < len(tensors):
        return torch.cat([_opened(tensor) for tensor in tensors], dim)
    return _combine(canvases, lambda *parts: torch.cat(parts, 1)).settle()


def _combine(canvases: list[Canvas], op: Callable[..., Tensor]) -> Canvas:
    """op over the grounds on their common axes and over each group's windows on their common box."""
    first = canvases[0]
    for canvas in canvases[1:]:
        if canvas.members != first.members:
            raise CanvasUnsupported("an op on canvases of different batches")
        if canvas.shape[2:] != first.shape[2:]:
            raise ValueError(f"maps of {list(first.shape[2:])} and {list(canvas.shape[2:])} in one op")
    windows = [Window(op(*joint.tensors), joint.spots) for joint in _joints(canvases)]
    rows, row_sources = axes.refine(tuple(canvas.ground.rows for canvas in canvases))
    cols, col_sources = axes.refine(tuple(canvas.ground.cols for canvas in canvases))
    grounds = [
        take_cells(canvas.ground.tensor, r, c) for canvas, r, c in zip(canvases, row_sources, col_sources, strict=True)
    ]
    return first.like(Ground(op(*grounds), rows, cols), windows)


def _joints(canvases: list[Canvas]) -> list[Joint]:
    """Groups that show the same tensors in the same relative places stay together."""
    found = [_by_group(canvas) for canvas in canvases]
    boxes = [
        Box.hull([window.box(spot) for window, spot in (by_group[group] for by_group in found)])
        for group in range(len(canvases[0].members))
    ]
    spots = [Spot(group, box.top, box.left) for group, box in enumerate(boxes)]

    def key(spot: Spot) -> Any:
        box = boxes[spot.group]
        sights = []
        for canvas, by_group in zip(canvases, found, strict=True):
            window, there = by_group[spot.group]
            inner = window.box(there).shift(-box.top, -box.left)
            sights.append((id(window), inner, canvas.ground.key(box)))
        return sights[0] if len(sights) == 1 else tuple(sights)

    joints = []
    for _, same in alike(spots, key):
        group = same[0].group
        parts = [
            by_group[group][0].over(by_group[group][1], boxes[group], canvas.ground)
            for canvas, by_group in zip(canvases, found, strict=True)
        ]
        joints.append(Joint(parts, tuple(same)))
    return joints


def _by_group(canvas: Canvas) -> dict[int, tuple[Window, Spot]]:
    return {spot.group: (window, spot) for window in canvas.windows for spot in window.spots}


def _opened(value: Any) -> Any:
    return value.dense() if isinstance(value, Canvas) else value


def _is_dense_partner(canvas: Canvas, operand: Any) -> bool:
    """An ordinary tensor for the whole map, such as a branch whose windows already filled it."""
    return isinstance(operand, Tensor) and operand.dim() == 4 and operand.shape[2:] == canvas.shape[2:] != (1, 1)


def _check_operand(op: Op, operand: Any) -> None:
    """Only numbers and one value per channel treat every cell and every image alike."""
    if not isinstance(operand, Tensor) or operand.dim() == 0:
        return
    if operand.dim() == 4 and operand.shape[0] != 1:
        raise CanvasUnsupported(
            f"{op.__name__} of a canvas and a tensor of {list(operand.shape)}",
            "images would no longer share one background",
        )
    if operand.dim() > 4 or any(n != 1 for n in operand.shape[-2:]):
        raise CanvasUnsupported(f"{op.__name__} of a canvas and a tensor of {list(operand.shape)}")


def _wrapped(canvas: Canvas, tensor: Tensor) -> Canvas:
    """A whole map as a canvas of the same batch, for in-place ops, which cannot change their operand's type."""
    from .gather import index_tensor
    import numpy as np

    windows = [
        Window(tensor.index_select(0, index_tensor(np.array(images), tensor.device)), (Spot(group, 0, 0),))
        for group, images in enumerate(canvas.members)
    ]
    box = canvas.ground.box
    return canvas.like(Ground(tensor.new_zeros(1, tensor.shape[1], 1, 1), (box.bottom,), (box.right,)), windows)


rules(_ARITHMETIC, arithmetic, torch, Tensor)
for _dunder, _name in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div")):
    _make = arithmetic(getattr(torch, _name))
    rules([f"__{_dunder}__"], lambda _, made=_make: made, Tensor)
    rules([f"__i{_dunder}__", f"{_name}_"], arithmetic_in_place(_name), Tensor)
for _dunder, _name in (("__radd__", "add"), ("__rmul__", "mul")):
    rules([_dunder], lambda _, made=arithmetic(getattr(torch, _name)): made, Tensor)
