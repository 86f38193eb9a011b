"""Tiles and halos as they are given, in pixels: one number, or one an axis."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from equivariance.errors import UserError
from equivariance.tiles.halo import Halo

Dropped = tuple[tuple[int, int], ...]  # pixels before and after, an axis


def dropped(halo: int | Sequence[int] | Halo, dims: int) -> Dropped:
    """A halo as pixels before and after, an axis.

    Raises: UserError: it is negative, or of another number of axes.
    """
    if isinstance(halo, Halo):
        if len(halo.before) != dims:
            raise UserError(f"halo: of {len(halo.before)} axes; allowed: of {dims}, as the image has")
        return tuple(zip(halo.before, halo.after, strict=True))
    return tuple((each, each) for each in pixels("halo", halo, dims, 0))


def pixels(name: str, given: Any, dims: int, least: int, unit: str = "pixels") -> tuple[int, ...]:
    """Whole numbers, mostly of pixels an axis: of one number or one an axis.

    Raises: UserError: others than whole numbers from the least on, or not as many as axes.
    """
    given = given.tolist() if hasattr(given, "tolist") else given  # of numpy and torch
    each = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,) * dims
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in each)
    if len(each) != dims or not whole or min(each) < least:
        raise UserError(f"{name}={given}: allowed: {unit} from {least}{f', one number or {dims}' * (dims > 1)}")
    return tuple(int(n) for n in each)
