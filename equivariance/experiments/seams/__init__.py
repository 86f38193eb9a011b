"""Seams: what tiles of a large image cost by halo, network, norm and convolution type, and at which halo nothing."""

from typing import Any

from sweeps.experiments import Experiment


def label(config: Any) -> str:
    """A run in a few words."""
    arch = config.arch
    kind = f" {arch.norm} {arch.dims}-D" if arch.library == "seams" else ""
    name, tile = arch.name.rpartition(":")[2], config.experiment.tile
    return f"seams {name}{kind} {config.conv.name} tile={tile} seed={config.seed}"


def headline(result: dict[str, Any]) -> str:
    """The exact halo, and what is left there and without one."""
    values = result["metrics"]
    exact = (
        f"{values['halo']:g} pixels"
        if values["exact"]
        else "none, statistics first"
        if values["two_passes"]
        else "none"
    )
    ours = f"{values['tiled']:.1g} with ours" if values["tiled"] >= 0 else "refused by ours"
    return f"exact halo {exact}; tiles wrong by {100 * values['rms_0']:.2g} % without one, {ours}"


HERE = "equivariance.experiments.seams"
EXPERIMENT = Experiment(
    name="seams",
    schema=f"{HERE}.config:SeamsRun",
    run=f"{HERE}.run:run",
    label=label,
    headline=headline,
    metrics=("halo", "rms_0", "tiled", "disparity", "accuracy"),
    artefact=f"{HERE}.artefact",
)
