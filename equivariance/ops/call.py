"""From a torch call to its description."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from equivariance.ops.descriptions import Call, Description, Unknown
from equivariance.ops.map import Map

Function = Callable[..., Any]
Reader = Callable[..., "Description | Reading | Call | None"]

R = TypeVar("R", bound=Reader)

_READERS: dict[Function, Reader] = {}


class Reading:
    """A description and what else a reader of a function found.

    Args:
        description: what the call is.
        alias: whether the result may share memory with the first map.
        named: torch's own tuple for several results, which have names there.
    """

    def __init__(self, description: Description, alias: bool = False, named: Any = None) -> None:
        self.description, self.alias, self.named = description, alias, named


def reads(*functions: Any) -> Callable[[R], R]:
    """Registers what describes these torch functions: given the function itself, then its arguments.

    A name stands for every function of that name in torch, torch.Tensor and torch.nn.functional.
    """

    def register(reader: R) -> R:
        for function in functions:
            for found in _named(function) if isinstance(function, str) else (function,):
                _READERS[found] = reader
        return reader

    return register


def _named(name: str) -> list[Function]:
    homes = (torch, Tensor, torch.nn.functional, torch._C._nn)
    return [getattr(home, name) for home in homes if hasattr(home, name)]


@lru_cache(4096)
def is_torchs(func: Function) -> bool:
    """Whether torch itself has this function, by its name or as a method: others may have the name of one of its."""
    name = getattr(func, "__name__", "")
    homes = (torch._C._special, torch.ops.aten)  # type: ignore[attr-defined]
    return func in (*_named(name), *vars(Tensor).values()) or any(getattr(h, name, None) == func for h in homes)


def describe(func: Function, args: Sequence[Any], kwargs: dict[str, Any], maps: tuple[Map, ...]) -> Call:
    """What a call is.

    Args:
        func: the torch function, as `__torch_function__` gets it.
        args: its arguments.
        kwargs: its keyword arguments.
        maps: the maps among them.

    Raises:
        Unknown: it has no description.
    """
    from equivariance.ops.pixels import elementwise

    name = op_name(func)
    if kwargs.get("out") is not None:
        raise Unknown(f"{name} with out=")
    reader = _READERS.get(func)
    if reader is None:
        return elementwise(func, args, kwargs, maps)
    try:
        found = reader(func, *args, **kwargs)
    except TypeError:
        _check_arguments(reader, name, func, *args, **kwargs)
        raise
    if found is None:
        raise Unknown(name)
    if isinstance(found, Call):
        return found
    if not isinstance(found, Reading):
        found = Reading(found)
    return Call(name, found.description, maps, alias=found.alias, named=found.named)


def maps_among(values: Iterable[Any]) -> tuple[Map, ...]:
    """The maps among arguments, also those in lists, each once."""
    found: dict[int, Map] = {}
    for value in values:
        for part in maps_among(value) if isinstance(value, (tuple, list)) else (value,):
            if isinstance(part, Map):
                found[id(part)] = part
    return tuple(found.values())


def applied(func: Function, args: Sequence[Any], kwargs: dict[str, Any], variable: Sequence[Tensor]) -> Function:
    """The same call with other tensors in the place of the variable ones."""
    slots = {id(tensor): i for i, tensor in enumerate(variable)}

    def run(*tensors: Tensor) -> Any:
        by_id = {key: tensors[i] for key, i in slots.items()}
        return func(*_replaced(list(args), by_id), **{k: _replaced(v, by_id) for k, v in kwargs.items()})

    return run


# Not a function within `applied`: one that calls itself holds itself, and the maps, until Python collects cycles.
def _replaced(value: Any, by_id: dict[int, Tensor]) -> Any:
    """A value with the tensors of these identities replaced, in tuples and lists too."""
    if type(value) in (tuple, list):
        return type(value)(_replaced(v, by_id) for v in value)
    return by_id.get(id(value), value)


def _check_arguments(reader: Reader, name: str, *args: Any, **kwargs: Any) -> None:
    """Raises Unknown where the reader does not take them."""
    try:
        inspect.signature(reader).bind(*args, **kwargs)
    except TypeError as error:
        raise Unknown(f"{name} called so ({error})") from None


def op_name(func: Function) -> str:
    """A torch function's name as a user writes it."""
    name = getattr(func, "__name__", None) or repr(func)
    if name in ("__get__", "__set__"):
        return f"Tensor.{getattr(getattr(func, '__self__', None), '__name__', 'attribute')}"
    return str(name)


_WRITING = {"__setitem__", "__set__"}
_ASKING = {"__invert__", "__index__", "__int__", "__iter__"}  # not in place, though they begin with an i


def written_by(func: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The tensors that a call changes, as torch's names say."""
    name = getattr(func, "__name__", "")
    if kwargs.get("out") is not None:
        return [kwargs["out"]]
    in_place = name.endswith("_") and not name.endswith("__")
    if not in_place and name not in _WRITING and not (name.startswith("__i") and name not in _ASKING):
        return []
    target = args[0] if args else kwargs.get("input")
    return list(target) if isinstance(target, tuple | list) else [target]
