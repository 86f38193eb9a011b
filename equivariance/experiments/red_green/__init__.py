"""Red-Green: whether a network learns where boxes are, or which is left (Kayhan & van Gemert 2020, section 3.2)."""

from typing import Any

from equivariance.experiments.headlines import accuracy
from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    return f"red_green {config.protocol} {config.conv.name} seed={config.seed}"


HERE = "equivariance.experiments.red_green"
EXPERIMENT = Experiment(
    name="red_green",
    schema=f"{HERE}.config:RedGreenRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=accuracy,
    metrics=("similar", "dissimilar", "ceiling"),
    artefact=f"{HERE}.artefact",
)
