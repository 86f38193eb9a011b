"""What a run of the shift experiment is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import AnyArch, Choice, Downsample, Run, Scratch, Section
from equivariance.config.base import Batch, Decay, Epochs, Rate, Share
from equivariance.config.labelled import Labelled, labelled_kinds
from equivariance.config.run import Named


class Shift(Named):
    """How often a prediction stays when the object moves."""

    name: Literal["shift"]
    canvas: Annotated[int, Field(ge=16, le=512)]  # pixels a side of the image
    reach: Annotated[int, Field(ge=1, le=256)]  # pixels; objects move by up to this along each axis
    draws: Annotated[int, Field(ge=1, le=1000)]  # pairs of places for each test picture
    background: Literal["black", "mean"]  # mean: 0 after normalisation


class Cosine(Section):
    """SGD whose learning rate falls by half a cosine to 0."""

    name: Literal["cosine"]
    lr: Rate
    momentum: Share
    weight_decay: Decay
    batch: Batch
    epochs: Epochs


class ShiftRun(Run):
    """One run of the shift experiment."""

    experiment: Shift
    arch: AnyArch
    init: Scratch
    data: Annotated[Labelled, Choice(labelled_kinds)]
    optim: Annotated[Cosine, Choice.of(Cosine)]
    downsample: Downsample
    engine: Literal["auto", "dense"]

    @model_validator(mode="after")
    def _fits_together(self) -> ShiftRun:
        experiment, data = self.experiment, self.data
        room = (experiment.canvas - data.side) // 2
        if experiment.reach > room:
            raise ValueError(
                f"experiment.reach={experiment.reach}: an object of data.side={data.side} in the middle of"
                f" experiment.canvas={experiment.canvas} has room for {room}; allowed: up to {room}"
            )
        return self
