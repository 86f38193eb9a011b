"""Quadrant: whether a network can tell where a picture lies (Kayhan & van Gemert 2020, section 3.1, figure 3)."""

from typing import Any

from equivariance.experiments.headlines import accuracy, sampled
from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    boundary = f"{config.conv.name}{sampled(config)}"
    return f"{config.arch.name} {config.init.name} {boundary} border={config.border} seed={config.seed}"


HERE = "equivariance.experiments.quadrant"
EXPERIMENT = Experiment(
    name="quadrant",
    schema=f"{HERE}.config:QuadrantRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=accuracy,
    outlook=f"{HERE}.run:outlook",
    metrics=("accuracy", "loss", "margin"),
    artefact=f"{HERE}.artefact",
)
