"""Leak distance: the largest border at which a network can still tell where a picture lies."""

from typing import Any

from equivariance.experiments.headlines import sampled
from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    return f"leak distance {config.arch.name} {config.init.name} {config.conv.name}{sampled(config)} seed={config.seed}"


def headline(result: dict[str, Any]) -> str:
    """The distance; the largest border tried may have been decodable still."""
    largest, beyond = result["metrics"]["leak_distance"], result["metrics"].get("not_decodable")
    if beyond is None:
        return f"{largest:g} px or more"
    return f"{largest:g} px" if beyond else "decodable at no border"


HERE = "equivariance.experiments.leak_distance"
EXPERIMENT = Experiment(
    name="leak_distance",
    schema=f"{HERE}.config:LeakDistanceRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    outlook=f"{HERE}.run:outlook",
    metrics=("leak_distance", "not_decodable", "bound"),
    artefact=f"{HERE}.artefact",
)
