"""Action recognition: videos told apart by 3-D networks, from scratch (Kayhan & van Gemert 2020, section 4.2)."""

from typing import Any

from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    data, control = config.data, config.experiment.control
    axes = "" if config.conv.name == "same" else f" in {config.conv.axes}"
    asked = f" border={data.border}" if getattr(data, "event", "whole") == "class" else ""
    matched = "" if control == "none" else f" {control}"
    return f"action {data.name} {config.arch.name} {config.conv.name}{axes}{matched}{asked} seed={config.seed}"


def headline(result: dict[str, Any]) -> str:
    """Accuracy of test clips, and how much less it is than of those trained on."""
    values = result["metrics"]
    return f"accuracy {100 * values['accuracy']:.1f} % of clips, train-test gap {100 * values['gap']:.1f} points"


HERE = "equivariance.experiments.action"
EXPERIMENT = Experiment(
    name="action",
    schema=f"{HERE}.config:ActionRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    outlook=f"{HERE}.structure:outlook",
    metrics=("accuracy", "video_accuracy", "train_accuracy", "gap", "gmacs"),
    artefact=f"{HERE}.artefact",
)
