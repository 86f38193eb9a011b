"""Impulse: what a filter with a single tap makes of a single bright pixel (Kayhan & van Gemert 2020, figure 2)."""

from typing import Any

from equivariance.experiments.headlines import accuracy
from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    return f"impulse {config.protocol} {config.conv.name} {config.experiment.tap}"


HERE = "equivariance.experiments.impulse"
EXPERIMENT = Experiment(
    name="impulse",
    schema=f"{HERE}.config:ImpulseRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=accuracy,
    metrics=("accuracy", "class_1", "class_2"),
    artefact=f"{HERE}.artefact",
)
