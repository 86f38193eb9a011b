"""Where interpolation takes its entries from, along one axis: exactly, in fractions, and as rounding allows."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from math import floor

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
        """How many units there are up to the last one that takes an entry before this one."""
        count = bisect_left(range(self.size), entry, key=self._lowest)
        while count and self.low(count - 1) >= entry:  # it lies on an entry, of which a cubic takes that alone
            count -= 1
        return count

    def up_to(self, entry: int) -> int:
        """How many units there are before the first one that takes an entry from this one on."""
        count = bisect_left(range(self.size), entry, key=self._highest)
        while count < self.size and self.high(count) < entry:
            count += 1
        return count

    def _lowest(self, unit: int) -> int:
        """The first entry that it would take between entries: never less for a later unit, as `low` may be."""
        return floor(self.start + unit * self.step) - (self.mode == "cubic")

    def _highest(self, unit: int) -> int:
        """The last entry that it would take between entries."""
        if self.mode == "nearest":
            return self.high(unit)
        return floor(self.start + unit * self.step) + (2 if self.mode == "cubic" else 1)

    def spread(self) -> tuple[Fraction, Fraction]:
        """The least and the most by which entries taken lie from where a plain step would be, on an endless axis."""
        units = range(self.step.denominator)
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
