"""Where interpolation takes its entries from, along one axis: exactly, in fractions, and as rounding allows."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

import torch

from equivariance.ops import Unknown


@dataclass(frozen=True)
class Places:
    """The entries that each entry of an interpolated axis takes, of an axis without ends.

    Args:
        size: entries of the result.
        step: from one place to the next, in entries taken.
        start: the first place.
        mode: `nearest` takes one entry, `linear` two, `cubic` four; the others weigh nothing where a place is an entry.
    """

    size: int
    step: Fraction
    start: Fraction
    mode: str

    def low(self, unit: int) -> int:
        """The first entry that a unit takes."""
        place = self.start + unit * self.step
        whole = place.numerator // place.denominator
        return whole - 1 if self.mode == "cubic" and place != whole else whole

    def high(self, unit: int) -> int:
        """The last entry that a unit takes."""
        place = self.start + unit * self.step
        whole = place.numerator // place.denominator
        if self.mode == "nearest" or place == whole:
            return whole
        return whole + (2 if self.mode == "cubic" else 1)

    def before(self, entry: int) -> int:
        """How many units take entries before this one."""
        return bisect_left(range(self.size), entry, key=self.low)

    def up_to(self, entry: int) -> int:
        """How many units take no entry from this one on."""
        return bisect_left(range(self.size), entry, key=self.high)

    def spread(self) -> tuple[Fraction, Fraction]:
        """The least and the most by which entries taken lie from where a plain step would be, over all units."""
        units = range(min(self.size, self.step.denominator))
        low = min(self.low(unit) - unit * self.step for unit in units)
        return low, max(self.high(unit) - unit * self.step for unit in units)

    def check(self) -> None:
        """Takes no entries but those that torch takes.

        Raises: Unknown: rounding decides which entry is the nearest.
        """
        if self.mode != "nearest" or not self.step.denominator & (self.step.denominator - 1):
            return
        shift = 0.5 if self.start else 0.0
        wanted = torch.tensor([self.low(unit) for unit in range(self.size)])
        for dtype in (torch.float32, torch.float64):
            units = torch.arange(self.size, dtype=dtype) + shift
            if not torch.equal((units * torch.tensor(float(self.step), dtype=dtype)).floor().long(), wanted):
                raise Unknown(None, f"rounding decides which entry is nearest, at steps of {self.step}")
