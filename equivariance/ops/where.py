"""Which module of a network a call comes from, for messages."""

import inspect
from collections.abc import Iterator
from traceback import walk_tb
from types import FrameType
from weakref import WeakKeyDictionary

from torch import nn

# By outermost module, and of it by id: looked through once and not at each of a thousand calls.
_PATHS: WeakKeyDictionary[nn.Module, dict[int, str]] = WeakKeyDictionary()


def calling_module(error: BaseException | None = None) -> str:
    """The innermost nn.Module whose forward is running, by its path in the outermost one and its class.

    Args:
        error: None: now; else when it was raised.
    """
    frame = inspect.currentframe()
    if error is not None:
        *_, (frame, _) = walk_tb(error.__traceback__)
    running = list(_running_modules(frame))
    if not running:
        return "no module"
    inner, outer = running[0], running[-1]
    path = _path(outer, inner)
    return f"{path} ({type(inner).__name__})" if path else type(inner).__name__


def _path(outer: nn.Module, inner: nn.Module) -> str:
    """Where a module lies in another; empty where it is that itself, or lies elsewhere."""
    known = _PATHS.get(outer, {}).get(id(inner))
    if known is None or _at(outer, known) is not inner:
        _PATHS[outer] = {id(module): name for name, module in outer.named_modules()}
        known = _PATHS[outer].get(id(inner), "")
    return known


def _at(outer: nn.Module, path: str) -> nn.Module | None:
    try:
        return outer.get_submodule(path)
    except AttributeError:
        return None


def _running_modules(frame: FrameType | None) -> Iterator[nn.Module]:
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            yield owner
        frame = frame.f_back
