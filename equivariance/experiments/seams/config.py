"""What a run of the seams experiment is."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import Choice, NoTraining, Run, Scratch, Section
from equivariance.config.base import Batch, Epochs, Rate, Seed
from equivariance.config.parts import Arch, PythonArch
from equivariance.config.run import Named

Halo = Annotated[int, Field(ge=0, le=4096)]


class Seams(Named):
    """What tiles cost, by halo."""

    name: Literal["seams"]
    tile: Annotated[int, Field(ge=4, le=8192)]  # pixels a side, halo included
    halos: Annotated[list[Halo], Field(min_length=2, max_length=32)]  # pixels; the first is 0
    output: str | None  # of a network that returns dicts or tuples; null: its library's


class UNetArch(Section):
    """A small U-Net of our own."""

    library: Literal["seams"]
    name: Literal["unet"]
    norm: Literal["none", "batch", "group", "instance"]
    dims: Literal[2, 3]
    width: Annotated[int, Field(ge=4, le=64, multiple_of=4)]  # channels of the first level; group norm: of four
    levels: Annotated[int, Field(ge=1, le=5)]


class Collage(Section):
    """Photographs side by side; which of them a pixel is of is what networks learn."""

    name: Literal["collage"]
    side: Annotated[int, Field(ge=16, le=8192)]  # pixels, of the tested image
    depth: Annotated[int, Field(ge=8, le=512)]  # planes of a volume
    train: Annotated[int, Field(ge=8, le=512)]  # pixels a side of training pictures, and planes at most
    pictures: Annotated[int, Field(ge=1, le=100_000)]  # that are trained on
    seed: Seed


class Adam(Section):
    """Adam for some epochs."""

    name: Literal["adam"]
    lr: Rate
    batch: Batch
    epochs: Epochs


class SeamsRun(Run):
    """One run of the seams experiment."""

    experiment: Seams
    arch: Annotated[
        Section, Choice(lambda: {"seams": UNetArch, "torchvision": Arch, "timm": Arch, "python": PythonArch}, "library")
    ]
    init: Scratch
    data: Annotated[Collage, Choice.of(Collage)]
    optim: Annotated[Adam | NoTraining, Choice.of(Adam, NoTraining)]
    engine: Literal["auto", "dense"]
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> SeamsRun:
        halos, tile = self.experiment.halos, self.experiment.tile
        if halos[0] or any(a >= b for a, b in pairwise(halos)) or 2 * halos[-1] >= tile:
            raise ValueError(f"experiment.halos={halos}: allowed: 0 and larger ones, less than half of tile={tile}")
        if tile >= self.data.side:
            raise ValueError(f"experiment.tile={tile}: allowed: less than data.side={self.data.side}")
        if self.init.checkpoint:
            raise ValueError(f"init.checkpoint={self.init.checkpoint}: allowed: null with experiment=seams")
        return self
