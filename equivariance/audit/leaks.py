"""Which leak costs decisions: consistency with the boundary removed or not, and with the phase removed or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equivariance.audit.decisions import Consistency
from equivariance.errors import UserError

# The four cells, as `with_conv` takes them; the last is exact: on an empty canvas nothing is left to change a decision.
CELLS = (("same", "strided"), ("same", "polyphase"), ("unbounded", "strided"), ("unbounded", "polyphase"))


@dataclass(frozen=True)
class Effect:
    """What a remedy changes of a share, in [-1, 1].

    Args:
        value: mean over pictures.
        low: of Student's 95 % interval over pictures; NaN where there is none.
        high: of the interval.
        n: pictures.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{100 * self.value:+.1f} points ({100 * self.low:+.1f} to {100 * self.high:+.1f}, n = {self.n})"


@dataclass(frozen=True)
class Leaks:
    """Consistency at two random places of an empty canvas, by two factors: `unbounded` or not, `polyphase` or not.

    Args:
        boundary: what removing the boundary gains, mean of with and without the phase's remedy.
        phase: what removing the phase gains, mean of with and without the boundary's remedy.
        interaction: how much more the boundary's remedy gains where the phase's is in place; above 0: both are needed.
    Source: Main effects of two factors; `sweeps.comparisons.factorial` has them for trained networks, too.
    """

    boundary: Effect
    phase: Effect
    interaction: Effect


def leaks(cells: Mapping[tuple[str, str], Consistency]) -> Leaks:
    """Boundary and phase apart, picture by picture.

    Args:
        cells: what was measured of the same weights and pictures, by `conv` and `downsample`.
    Raises: UserError: one of the four is missing.
    """
    import numpy as np

    from sweeps.comparisons import EFFECTS, factorial, over_pictures

    missing = [f"{conv}+{downsample}" for conv, downsample in CELLS if (conv, downsample) not in cells]
    if missing:
        raise UserError(f"no consistency is known under {', '.join(missing)}")
    each = [np.asarray(cells[cell].each) for cell in CELLS]
    found = {name: over_pictures(*pair) for name, pair in zip(EFFECTS, factorial(*each), strict=True)}
    return Leaks(**{name: Effect(d.mean, d.low, d.high, d.n) for name, d in found.items()})
