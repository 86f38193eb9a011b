"""What a run is that asks any network where a picture lies."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from equivariance.config import AnyArch, Choice, Downsample, Probe, Run, Sgd
from equivariance.config.data import Pictures
from equivariance.config.run import Named
from equivariance.registries import DATA, data_kinds


class Location(Named):
    """A picture at the upper left or at the bottom right (Kayhan & van Gemert 2020, section 3.1)."""

    picture: Annotated[int, Field(ge=8, le=512)]  # pixels a side
    canvas: Annotated[int, Field(ge=16, le=4096)]  # pixels a side, without the border
    background: Literal["black", "mean"]  # mean: 0 after normalisation
    pooling: Literal["max", "avg", "released"]
    border_as: Literal["pixels", "padding"]  # padding: the first convolution's, as released


class LocationRun(Run):
    """One run that asks any network where a picture lies."""

    LATER: ClassVar[dict[str, Any]] = {"downsample": {"name": "strided", "size": 1}}

    experiment: Location
    arch: AnyArch
    data: Annotated[Pictures, Choice(data_kinds)]
    optim: Annotated[Sgd | Probe, Choice.of(Sgd, Probe)]
    downsample: Downsample
    border: Annotated[int, Field(ge=0, le=65_536)]  # pixels on each of the four sides

    @model_validator(mode="after")
    def _fits_together(self) -> LocationRun:
        for complaint in complaints(self):
            raise ValueError(complaint)
        return self


def complaints(config: LocationRun) -> list[str]:
    """What each key allows alone but not together, one line each."""
    experiment, data, init = config.experiment, config.data, config.init
    found = []
    if init.name == "fixed":
        found.append("init=fixed: allowed: scratch | frozen-random | frozen-pretrained")
    if experiment.canvas < 2 * experiment.picture:
        found.append(
            f"experiment.canvas={experiment.canvas}: two pictures of experiment.picture={experiment.picture}"
            " do not fit side by side; allowed: twice the picture or more"
        )
    if DATA.get(data.name).rooted and not data.root:
        found.append(f"data.root=null: data={data.name} needs a folder; allowed: data.root=FOLDER")
    if config.optim.name == "probe" and not init.fixed:
        found.append(
            f"optim=probe: needs features that do not change; allowed with init=frozen-random|frozen-pretrained and"
            f" init.batchnorm=frozen, not with init={init.name} init.batchnorm={init.batchnorm}; optim=sgd trains any"
        )
    if data.name == "photos" and data.crop != 1:
        found.append(f"data.crop={data.crop}: allowed: 1.0 with data=photos, whose crops are random")
    if init.checkpoint and init.name == "frozen-random":
        found.append(f"init.checkpoint={init.checkpoint}: allowed with init=scratch|frozen-pretrained")
    if init.name == "frozen-pretrained" and config.arch.library == "python" and not init.checkpoint:
        found.append("init.checkpoint=null: arch=python has no published weights; allowed: init.checkpoint=FILE")
    if experiment.border_as == "padding" and config.conv.name != "same":
        found.append(f"experiment.border_as=padding: allowed with conv=same, not with conv={config.conv.name}")
    if config.downsample.name == "polyphase" and config.engine == "canvas":
        found.append(
            "engine=canvas: allowed: auto | dense with downsample=polyphase, whose images sample each for itself"
        )
    return found
