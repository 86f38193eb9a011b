"""The one error of an op that a canvas does not know."""

import inspect
from collections.abc import Iterator

from torch import nn


class CanvasUnsupported(NotImplementedError):  # noqa: N818 - the name says what it is; "Error" would add nothing
    """An op that has no exact form on a canvas; the message names the op, its module and the way out.

    Args:
        op: what was asked for, in words.
        reason: why it has no exact form, or None where it is merely not known.
    """

    def __init__(self, op: str, reason: str | None = None) -> None:
        why = f": {reason}" if reason else ""
        super().__init__(
            f"{op} has no exact form on a canvas{why} (called in {calling_module()}); "
            "call canvas.dense() before it to go on with the ordinary tensor"
        )


def calling_module() -> str:
    """The innermost nn.Module whose forward is running, by its path in the outermost one and its class."""
    running = list(_running_modules())
    if not running:
        return "no module"
    inner, outer = running[0], running[-1]
    path = next((name for name, module in outer.named_modules() if module is inner), "")
    return f"{path} ({type(inner).__name__})" if path else type(inner).__name__


def _running_modules() -> Iterator[nn.Module]:
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            yield owner
        frame = frame.f_back
