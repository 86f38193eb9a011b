"""Functions of each pixel by itself: activations, arithmetic, casts, and what mixes the channels of a pixel."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops.call import Function, applied, op_name, reads
from equivariance.ops.descriptions import Answer, Call, Pixelwise, Unknown
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map

# Pointwise functions to which aten gives no tag, most of them because they are composed of others.
_UNTAGGED = """
    absolute arctan clip copy divide fill floor_divide hardswish log_sigmoid logsigmoid multiply negative
    ones_like softsign subtract tanhshrink true_divide zero zeros_like full_like _threshold threshold
"""
_CASTS = "bfloat16 clone contiguous cpu cuda detach double float half to type type_as"
_DUNDERS = {"truediv": "div", "floordiv": "floor_divide", "mod": "remainder", "invert": "bitwise_not"}


def elementwise(func: Function, args: Sequence[Any], kwargs: dict[str, Any], maps: tuple[Map, ...]) -> Call:
    """A call of a pointwise function, in place or not; aten's tags say which functions are.

    Raises:
        Unknown: it is not pointwise, or what it meets differs from pixel to pixel in a way no map lies.
    """
    name = op_name(func)
    base, in_place = _base(name)
    if base in _CASTS.split() and len(maps) == 1:
        apply = applied(func, args, kwargs, maps[:1])
        return Call(name, Pixelwise(apply, (maps[0].form,)), maps[:1], alias=base != "clone")
    if not _pointwise(base):
        raise Unknown(name)
    func, args, kwargs, in_place = _out_of_place(func, base, args, kwargs, in_place)
    thin = {id(t): _thin(t) for t in _tensors(args, kwargs) if not isinstance(t, Map)}
    args, kwargs = [thin.get(id(a), a) for a in args], {k: thin.get(id(v), v) for k, v in kwargs.items()}
    operands = [t for t in thin.values() if t.dim()]
    form = _form(name, maps, operands)
    per_image, varying = _partners(name, form, maps[0].images, operands)
    variable = (*maps, *(t for t, _ in per_image))
    description = Pixelwise(applied(func, args, kwargs, variable), (form,), False, per_image, varying)
    target = args[0] if in_place else None
    into = target if isinstance(target, Tensor) and not isinstance(target, Map) else None
    return Call(name, description, maps, in_place and into is None, into)


def _base(name: str) -> tuple[str, bool]:
    """The plain name of a function, and whether it works in place."""
    if name.startswith("__") and name.endswith("__"):
        inner = name[2:-2]
        for prefix, in_place in (("", False), ("r", False), ("i", True)):
            if inner.startswith(prefix):
                plain = _DUNDERS.get(inner[len(prefix) :], inner[len(prefix) :])
                if _pointwise(plain):
                    return plain, in_place
        return inner, False
    return (name[:-1], True) if name.endswith("_") else (name, False)


@lru_cache(1024)
def _pointwise(name: str) -> bool:
    if name in _UNTAGGED.split():
        return True
    packet = getattr(torch.ops.aten, name, None)
    tags = [getattr(packet, overload).tags for overload in packet.overloads()] if packet is not None else []
    random = any(torch.Tag.nondeterministic_seeded in each for each in tags)
    return not random and any(torch.Tag.pointwise in each for each in tags)


def _out_of_place(
    func: Function, base: str, args: Sequence[Any], kwargs: dict[str, Any], in_place: bool
) -> tuple[Function, Sequence[Any], dict[str, Any], bool]:
    """The same call that leaves its argument alone, and whether the call itself did not."""
    at = _inplace_argument(func)
    if at is not None:
        inplace = bool(kwargs.get("inplace", len(args) > at and args[at]))
        args = [*args[:at], *args[at + 1 :]] if len(args) > at else args
        return func, args, {k: v for k, v in kwargs.items() if k != "inplace"}, inplace
    if not in_place:
        return func, args, kwargs, False
    for home in (torch, F, Tensor):
        if found := getattr(home, base, None):
            return found, args, kwargs, True
    return (lambda t, *rest, **named: func(t.clone(), *rest, **named)), args, kwargs, True


@lru_cache(1024)
def _inplace_argument(func: Function) -> int | None:
    """Where a python function takes `inplace`; None for builtins, which take none."""
    try:
        names = list(inspect.signature(func).parameters)
    except (TypeError, ValueError):
        return None
    return names.index("inplace") if "inplace" in names else None


def _thin(tensor: Tensor) -> Tensor:
    """A tensor without its repetitions: what `expand` made of it must also meet parts of a map."""
    for dim, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if stride == 0 and size > 1:
            tensor = tensor.narrow(dim, 0, 1)
    return tensor


def _tensors(args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
    return [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]


def _form(name: str, maps: tuple[Map, ...], operands: Sequence[Tensor]) -> Layout:
    """The layout of the maps and ordinary tensors broadcast together.

    Raises:
        Unknown: the maps lie differently, or a tensor has more dimensions than they.
    """
    form = max((m.form for m in maps), key=lambda f: f.ndim)
    shapes = []
    for other in maps:
        shift = form.ndim - other.form.ndim
        if (other.form.batch + shift, *(s + shift for s in other.form.space)) != (form.batch, *form.space):
            raise Unknown(f"{name} of maps that lie differently")
        shapes.append(other.form.channel_shape())
    for tensor in operands:
        if tensor.dim() > form.ndim:
            raise Unknown(f"{name} of a map and a tensor of {list(tensor.shape)}")
        lead = form.ndim - tensor.dim()
        shapes.append(tuple(1 if d + lead in (form.batch, *form.space) else n for d, n in enumerate(tensor.shape)))
    shape = shapes[0] if len(set(shapes)) == 1 else torch.broadcast_shapes(*shapes)
    return form.resized({d: shape[d] for d in form.channel_dims})


def _partners(
    name: str, form: Layout, images: int, operands: Sequence[Tensor]
) -> tuple[tuple[tuple[Tensor, int], ...], bool]:
    """The operands that differ from image to image, and whether any differs from pixel to pixel."""
    per_image, varying = [], False
    for tensor in operands:
        lead = form.ndim - tensor.dim()
        shifted = {d: d - lead for d in (form.batch, *form.space) if d >= lead}
        if any(d in shifted and tensor.shape[shifted[d]] > 1 for d in form.space):
            varying = True
        elif form.batch in shifted and tensor.shape[shifted[form.batch]] > 1:
            if tensor.shape[shifted[form.batch]] != images:
                raise Unknown(f"{name} of {images} images and a tensor of {list(tensor.shape)}")
            per_image.append((tensor, shifted[form.batch]))
    return tuple(per_image), varying


@reads("dropout", F.dropout1d, F.dropout2d, F.dropout3d, "alpha_dropout", "feature_alpha_dropout", "feature_dropout")
def dropout(func: Function, input: Map, p: float = 0.5, training: bool = True, inplace: bool = False) -> Answer:
    """Dropout that is off is the map itself."""
    if training and p:
        raise Unknown("dropout in training mode", "its noise differs from cell to cell")
    return Answer(input)


@reads("new_empty", "new_zeros", "new_ones", "new_full", "new_tensor")
def fresh(func: Function, input: Map, *args: Any, **kwargs: Any) -> Answer:
    """An ordinary tensor that has nothing of the map but its type."""
    return Answer(func(torch.empty(0, dtype=input.dtype, device=input.device), *args, **kwargs))


@reads("expand_as")
def expand_as(func: Function, input: Tensor, other: Tensor) -> Answer | None:
    """An ordinary tensor, expanded to the shape of a map."""
    return None if isinstance(input, Map) else Answer(input.expand(other.shape))
