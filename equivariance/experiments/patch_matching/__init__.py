"""Patch matching: descriptors from few and many triplets (Kayhan & van Gemert 2020, section 4.2)."""

from typing import Any

from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    experiment = config.experiment
    return (
        f"patch_matching {config.data.name} {config.conv.name} {experiment.head} {experiment.triplets} triplets"
        f" seed={config.seed}"
    )


def headline(result: dict[str, Any]) -> str:
    """FPR95 and the size of the descriptor."""
    values = result["metrics"]
    return f"FPR95 {100 * values['fpr95']:.2f} %, {values['descriptor']:g} numbers a patch"


HERE = "equivariance.experiments.patch_matching"
EXPERIMENT = Experiment(
    name="patch_matching",
    schema=f"{HERE}.config:PatchMatchingRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    metrics=("fpr95", "descriptor", "parameters", "gmacs"),
    artefact=f"{HERE}.artefact",
)
