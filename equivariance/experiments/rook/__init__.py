"""The rook dilemma: one filter tells the upper left from the bottom right (Kayhan & van Gemert 2020, figure 1)."""

from typing import Any

from equivariance.experiments.headlines import accuracy
from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    return f"rook {config.protocol} {config.conv.name} seed={config.seed}"


HERE = "equivariance.experiments.rook"
EXPERIMENT = Experiment(
    name="rook",
    schema=f"{HERE}.config:RookRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=accuracy,
    metrics=("accuracy", "loss", "margin"),
    artefact=f"{HERE}.artefact",
)
