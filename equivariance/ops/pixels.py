"""Functions of each pixel by itself: activations, arithmetic, casts, and what mixes the channels of a pixel."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest
from numbers import Number
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops.call import Function, applied, is_torchs, maps_among, op_name, reads
from equivariance.ops.descriptions import Answer, Call, Pixelwise, Unknown
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map

# Pointwise functions to which aten gives no tag, most of them because they are composed of others.
_UNTAGGED = """
    absolute arctan clip copy divide fill floor_divide hardswish log_sigmoid logsigmoid multiply negative
    ones_like softsign subtract tanhshrink true_divide zero zeros_like full_like _threshold threshold
"""
_CASTS = """
    bfloat16 bool byte char clone conj_physical contiguous cpu cuda detach double float half int long positive short to
    type type_as
"""
_DUNDERS = {"truediv": "div", "floordiv": "floor_divide", "mod": "remainder", "invert": "bitwise_not"}


def elementwise(func: Function, args: Sequence[Any], kwargs: dict[str, Any], maps: tuple[Map, ...]) -> Call:
    """A call of a pointwise function, in place or not; aten's tags say which functions are.

    Raises:
        Unknown: it is not pointwise, or what it meets differs from pixel to pixel in a way no map lies.
    """
    name = op_name(func)
    base, in_place = _base(name)
    if not is_torchs(func):  # another's function may have the name of one of torch's
        raise Unknown(name)
    if base in _CASTS.split():
        if name.startswith("__"):
            raise Unknown(f"{base}()", "a map is not one number")
        return _cast(base, func if not in_place else getattr(Tensor, base), args, kwargs, in_place)
    if not _pointwise(base):
        raise Unknown(name)
    if name in ("__eq__", "__ne__") and not isinstance(args[-1], Tensor | Number):
        return Call(name, Answer(NotImplemented))  # as torch has it: `x == None` is False
    target = args[0] if args else kwargs.get("input")
    func, args, kwargs, in_place = _out_of_place(func, base, args, kwargs, in_place)
    few = {id(t): thin(t) for t in _tensors(args, kwargs) if not isinstance(t, Map)}
    args, kwargs = [few.get(id(a), a) for a in args], {k: few.get(id(v), v) for k, v in kwargs.items()}
    operands = [t for t in few.values() if t.dim()]
    form = _form(name, maps, operands)
    per_image, varying = _partners(name, form, maps[0].images, operands)
    if isinstance(target, Map):
        maps = (target, *(m for m in maps if m is not target))
    variable = (*maps, *(t for t, _ in per_image))
    description = Pixelwise(applied(func, args, kwargs, variable), (form,), False, per_image, varying)
    into = target if in_place and isinstance(target, Tensor) and not isinstance(target, Map) else None
    return Call(name, description, maps, in_place and into is None, into)


def _cast(base: str, func: Function, args: Sequence[Any], kwargs: dict[str, Any], in_place: bool) -> Call:
    """The first argument in another type or memory, or itself; of others that are maps only the type matters."""
    kwargs = dict(kwargs)
    subject = args[0] if args else kwargs.pop("input")
    rest = [_stand_in(value) if isinstance(value, Map) else value for value in args[1:]]
    kwargs = {key: _stand_in(value) if isinstance(value, Map) else value for key, value in kwargs.items()}
    if not isinstance(subject, Map):
        return Call(base, Answer(func(subject, *rest, **kwargs)))
    if base == "type" and not rest and not kwargs:
        return Call(base, Answer(_stand_in(subject).type()))
    description = Pixelwise(lambda t: func(t, *rest, **kwargs), (subject.form,))
    return Call(base, description, (subject,), in_place, alias=base != "clone")


def _stand_in(like: Map) -> Tensor:
    """An ordinary tensor of a map's type and device."""
    return torch.empty(0, dtype=like.dtype, device=like.device)


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


def is_pointwise(func: Function) -> bool:
    """Whether a call of it is one for each entry by itself."""
    return _pointwise(_base(op_name(func))[0])


@lru_cache(1024)
def _pointwise(name: str) -> bool:
    if name in _UNTAGGED.split():
        return True
    packet = getattr(torch.ops.aten, name, None)
    overloads = [getattr(packet, overload) for overload in packet.overloads()] if packet is not None else []
    pointwise = [each for each in overloads if torch.Tag.pointwise in each.tags]
    random = any(torch.Tag.nondeterministic_seeded in each.tags for each in overloads)
    tensors = all([str(found.type) for found in each._schema.returns] == ["Tensor"] for each in pointwise)
    return not random and tensors and bool(pointwise)  # equal returns a bool, frexp two tensors


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
    method = getattr(Tensor, func.__name__, None) is func  # a method may take its arguments in another order
    for home in (Tensor, torch, F) if method else (torch, F, Tensor):
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


def thin(tensor: Tensor) -> Tensor:
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
    shape = _broadcast(name, shapes)
    return form.resized({d: shape[d] for d in form.channel_dims})


def _broadcast(name: str, shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The common shape; torch's own function for it imports for seconds.

    Raises:
        RuntimeError: there is none, as torch says.
    """
    aligned = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    sizes = [set(each) - {1} or {1} for each in aligned]
    if any(len(each) > 1 for each in sizes):
        raise RuntimeError(f"{name} of tensors whose channels do not match: {[list(shape) for shape in shapes]}")
    return tuple(each.pop() for each in reversed(sizes))


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
    return Answer(func(_stand_in(input), *args, **kwargs))


@reads("where")
def where(func: Function, *args: Any, **kwargs: Any) -> Call | None:
    """A choice for each entry; of a condition alone torch would list the places."""
    maps = maps_among((*args, *kwargs.values()))
    return elementwise(func, args, kwargs, maps) if len(args) + len(kwargs) == 3 else None


@reads("expand_as")
def expand_as(func: Function, input: Tensor, other: Tensor) -> Answer | None:
    """An ordinary tensor, expanded to the shape of a map."""
    return None if isinstance(input, Map) else Answer(input.expand(other.shape))
