"""Which module of a network a call comes from, for messages."""

import inspect
from collections.abc import Iterator
from traceback import walk_tb
from types import FrameType

from torch import nn


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
    path = next((name for name, module in outer.named_modules() if module is inner), "")
    return f"{path} ({type(inner).__name__})" if path else type(inner).__name__


def _running_modules(frame: FrameType | None) -> Iterator[nn.Module]:
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            yield owner
        frame = frame.f_back
