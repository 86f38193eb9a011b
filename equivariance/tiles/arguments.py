"""What the arguments of a call say of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.nn import Parameter

from equivariance.ops import Map
from equivariance.ops.call import op_name
from equivariance.reach import Reach, Summary

FEW = 4096  # numbers of a tensor that are looked at


def at_the_end(func: Any, maps: list[Reach], part: Reach | Summary) -> bool:
    """Whether it pads or crops the ends of axes alone, which networks do as the image's size wants it."""
    if op_name(func) not in ("pad", "__getitem__", "narrow") or not maps or not isinstance(part, Reach):
        return False
    pairs = zip(maps[0].sights, part.sights, strict=True)
    same = all((a.stride, a.first, a.last) == (b.stride, b.first, b.last) for a, b in pairs)
    return same and maps[0].form == part.form


def of_the_image(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether a norm's statistics are those of its image, not running ones."""
    given = bound(func, args, kwargs)
    return bool(given.get("use_input_stats", True)) and given.get("running_mean") is None


def bound(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """A call's arguments by name, defaults included."""
    given = inspect.signature(func).bind(*args, **kwargs)
    given.apply_defaults()
    return dict(given.arguments)


def summaries(values: Iterable[Any]) -> list[Tensor]:
    """The summaries among arguments, also those in lists."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, tuple | list):
            found += summaries(value)
        elif isinstance(value, Summary):
            found.append(value)
    return found


def number(value: Any) -> Any:
    """What it adds to a call's numbers: itself, or a tensor's own where they are few."""
    if isinstance(value, Tensor) and not isinstance(value, Map | Summary | Parameter) and value.numel() <= FEW:
        return tuple(value.detach().flatten().tolist()) if value.device.type != "meta" else None
    return value if isinstance(value, int | float) else None
