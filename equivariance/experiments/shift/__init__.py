"""Shift: how often a prediction stays when the object moves (Kayhan & van Gemert 2020, section 4.1)."""

from typing import Any

from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    return f"shift {config.arch.name} {config.conv.name} {config.downsample.name} seed={config.seed}"


def headline(result: dict[str, Any]) -> str:
    """Accuracy where it was trained, and how consistent it is elsewhere."""
    values = result["metrics"]
    return f"accuracy {100 * values['accuracy']:.1f} %, consistency {100 * values['consistency']:.1f} %"


HERE = "equivariance.experiments.shift"
EXPERIMENT = Experiment(
    name="shift",
    schema=f"{HERE}.config:ShiftRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    metrics=("consistency", "accuracy", "accuracy_moved", "one_pixel", "one_pixel_worst", "circular"),
    artefact=f"{HERE}.artefact",
)
