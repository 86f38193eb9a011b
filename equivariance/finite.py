"""NaN and infinity end a run: a comparison with either is false, so that they would pass as 'cannot tell'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.errors import NotFinite

if TYPE_CHECKING:
    from torch import Tensor


def finite(found: Tensor, what: str) -> Tensor:
    """The tensor itself, all of whose numbers are finite.

    Args:
        found: float, any shape.
        what: names it.
    Raises: NotFinite: some are not; says how many.
    """
    bad = found.numel() - int(found.isfinite().sum())
    if bad:
        raise NotFinite(f"{what}: {bad} of {found.numel()} numbers are not finite")
    return found
