"""Audit: all that `equivariance.audit` says of one network, as a run: recorded, swept over networks, on the site."""

from typing import Any

from equivariance.experiments.headlines import sampled
from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    boundary = f"{config.conv.name}{sampled(config)}"
    return f"audit {config.arch.name} {config.init.name} {boundary} {config.experiment.input_size} pixels"


def headline(result: dict[str, Any]) -> str:
    """What it says first."""
    values = result["metrics"]
    units = (("receptive_field", "field"), ("certified_border", "certified border"), ("leak_distance", "leak distance"))
    found = [f"{title} {values[name]:g}" for name, title in units if name in values]
    return ", ".join(found) or "nothing of this network's geometry is known"


HERE = "equivariance.experiments.audit"
EXPERIMENT = Experiment(
    name="audit",
    schema=f"{HERE}.config:AuditRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    metrics=("leak_distance", "certified_border", "receptive_field", "stride"),
    artefact=f"{HERE}.artefact",
)
