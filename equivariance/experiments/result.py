"""What an experiment gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from pathlib import PurePath
from typing import TYPE_CHECKING

from equivariance.errors import NotFinite, UserError
from equivariance.finite import finite

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Result:
    """A finished run.

    Args:
        metrics: final numbers by name: test accuracy in [0, 1], loss in nats, margin, n.
        history: a row an epoch, or a border tried.
        weights: what was trained, by parameter name.
        notes: facts about the run that are not numbers: device, engine, skipped pictures.
        files: further files for the run's directory, by name.
        right: for a metric, or a border tried, which test pictures were told right, see `decoding.digits`; for the
            intervals of tables, which count a picture once whatever the number of its images.
        redrawn: for a metric that is no mean over pictures, its values when what is tested on is drawn anew with
            replacement, in draws that are the same for all runs tested on the same, so that runs may be compared.
    """

    metrics: dict[str, float]
    history: list[dict[str, float]]
    weights: dict[str, Tensor]
    notes: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    right: dict[str, list[str]] = field(default_factory=dict)
    redrawn: dict[str, list[float]] = field(default_factory=dict)

    def check(self) -> None:
        """Refuses a result that shows nothing.

        Raises: NotFinite: a metric, a number of the history or a weight is not; names it. UserError: a metric is no
            number, or a file would lie outside the run's directory.
        """
        for name in self.files:
            if name != PurePath(name).name or name == "..":
                raise UserError(f"files: {name}; allowed: names without a folder")
        rows = [("", self.metrics), *((f" in row {n} of the history", row) for n, row in enumerate(self.history, 1))]
        for where, numbers in rows:
            for name, value in numbers.items():
                if not isinstance(value, Real):
                    raise UserError(f"metrics: {name} is {type(value).__name__}{where}; allowed: a number")
            bad = [f"{name} {value}" for name, value in numbers.items() if not isfinite(value)]
            if bad:
                raise NotFinite(f"not finite: {', '.join(bad)}{where}")
        for name, tensor in self.weights.items():
            finite(tensor, name)
