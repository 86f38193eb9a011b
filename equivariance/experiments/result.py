"""What an experiment gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    """

    metrics: dict[str, float]
    history: list[dict[str, float]]
    weights: dict[str, Tensor]
    notes: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
