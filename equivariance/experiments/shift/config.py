"""What a run of the shift experiment is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import AnyArch, Choice, Downsample, Run, Scratch, Section
from equivariance.config.base import Batch, Decay, Epochs, Rate, Seed, Share
from equivariance.config.run import Named

Images = Annotated[int, Field(ge=10, le=50_000)]  # of a split


class Shift(Named):
    """How often a prediction stays when the object moves."""

    name: Literal["shift"]
    canvas: Annotated[int, Field(ge=16, le=512)]  # pixels a side of the image
    reach: Annotated[int, Field(ge=1, le=256)]  # pixels; objects move by up to this along each axis
    draws: Annotated[int, Field(ge=1, le=1000)]  # pairs of places for each test picture
    background: Literal["black", "mean"]  # mean: 0 after normalisation


class Objects(Section):
    """Labelled pictures of objects."""

    name: Literal["digits", "fashion_mnist", "cifar10"]
    root: str | None  # folder of the data set
    train: Images
    validation: Images
    test: Images
    side: Annotated[int, Field(ge=8, le=256)]  # pixels a side of the object on the canvas
    seed: Seed  # of the choice of images


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
    data: Annotated[Objects, Choice(lambda: dict.fromkeys(("digits", "fashion_mnist", "cifar10"), Objects))]
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
        if data.name != "digits" and not data.root:
            raise ValueError(f"data.root=null: data={data.name} needs a folder; allowed: data.root=FOLDER")
        return self
