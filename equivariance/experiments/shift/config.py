"""What a run of the shift experiment is."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from equivariance.config import AnyArch, Choice, Downsample, NoTraining, Pretrained, Run, Scratch
from equivariance.config.labelled import Labelled, labelled_kinds, listed
from equivariance.config.run import Named
from equivariance.config.training import Cosine, Scheduled, Step


class Shift(Named):
    """How often a prediction stays when the object moves."""

    name: Literal["shift"]
    canvas: Annotated[int, Field(ge=16, le=512)]  # pixels a side of the image
    reach: Annotated[int, Field(ge=1, le=256)]  # pixels; pictures move by up to this along each axis
    draws: Annotated[int, Field(ge=1, le=1000)]  # pairs of places for each test picture
    drawn: Literal["picture", "batch"]  # batch: one place for all of a batch, the last never, as released
    background: Literal["black", "mean", "none"]  # mean: 0 after normalisation; none: crops of pictures that fill it
    outputs: Literal["fitting", "released"]  # released: 1000 of the unmodified network, whatever the classes
    statistics: Literal["split", "running"]  # of batch normalisation: of the training split, after training
    order: Annotated[
        list[str] | None, BeforeValidator(listed)
    ]  # names of a published network's outputs; null: the data's


class ShiftRun(Run):
    """One run of the shift experiment."""

    LATER: ClassVar[dict[str, Any]] = {
        "experiment.drawn": "picture",
        "experiment.outputs": "fitting",
        "experiment.order": None,
        "data.augment": "none",
        "optim.nesterov": True,
        "optim.micro_batch": None,
        "optim.precision": "float32",
        "experiment.statistics": "running",
    }

    experiment: Shift
    arch: AnyArch
    init: Annotated[Scratch | Pretrained, Choice.of(Scratch, Pretrained)]
    data: Annotated[Labelled, Choice(labelled_kinds)]
    optim: Annotated[Scheduled | NoTraining, Choice.of(Cosine, Step, NoTraining)]
    downsample: Downsample
    engine: Literal["auto", "dense"]

    @model_validator(mode="after")
    def _fits_together(self) -> ShiftRun:
        experiment, data = self.experiment, self.data
        crops = experiment.background == "none"
        room = (data.side - experiment.canvas if crops else experiment.canvas - data.side) // 2
        if experiment.reach > room:
            inner, outer = f"data.side={data.side}", f"experiment.canvas={experiment.canvas}"
            moved = (
                f"a crop of {outer} in the middle of {inner}"
                if crops
                else f"an object of {inner} in the middle of {outer}"
            )
            raise ValueError(f"experiment.reach={experiment.reach}: {moved} has room for {room}; allowed: up to {room}")
        if (self.optim.name == "none") != (self.init.name == "frozen-pretrained"):
            other = "none" if self.optim.name != "none" else "cosine | step"
            raise ValueError(f"optim={self.optim.name}: allowed: {other} with init={self.init.name}")
        return self
