"""Data efficiency: accuracy from few and many pictures a class (Kayhan & van Gemert 2020, section 4.2)."""

from typing import Any

from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    experiment, count = config.experiment, config.data.per_class
    matched = "" if experiment.control == "none" else f" {experiment.control}"
    return (
        f"data_efficiency {config.data.name} {'all' if count is None else count} a class {experiment.placement}"
        f" {config.arch.name.rpartition(':')[2]} {config.conv.name}{matched} seed={config.seed}"
    )


def headline(result: dict[str, Any]) -> str:
    """Accuracy, from how many pictures, at what cost."""
    values = result["metrics"]
    cost = f"{1000 * values['gmacs']:.3g} million multiply-adds"
    return f"accuracy {100 * values['accuracy']:.1f} % from {values['pictures']:g} pictures, {cost}"


HERE = "equivariance.experiments.data_efficiency"
EXPERIMENT = Experiment(
    name="data_efficiency",
    schema=f"{HERE}.config:DataEfficiencyRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    metrics=("accuracy", "pictures", "gmacs", "parameters"),
    artefact=f"{HERE}.artefact",
)
