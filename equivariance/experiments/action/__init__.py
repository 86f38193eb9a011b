"""Action recognition: videos told apart by 3-D networks, from scratch (Kayhan & van Gemert 2020, section 4.2)."""

from typing import Any

from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    axes = "" if config.conv.name == "same" else f" in {config.conv.axes}"
    return f"action {config.data.name} {config.arch.name} {config.conv.name}{axes} seed={config.seed}"


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
    metrics=("accuracy", "video_accuracy", "train_accuracy", "gap", "gmacs"),
    artefact=f"{HERE}.artefact",
)
