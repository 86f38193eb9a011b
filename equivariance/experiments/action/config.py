"""What a run of action recognition is."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from equivariance.config import Choice, Run, Scratch, Section
from equivariance.config.base import Batch, Decay, Epochs, Patience, Rate, Share
from equivariance.config.clips import Films, film_kinds
from equivariance.config.controls import Control, complaint
from equivariance.config.run import Named
from equivariance.config.video import VideoArch, VideoConv


class Action(Named):
    """Which action a video shows (section 4.2)."""

    name: Literal["action"]
    control: Control  # what makes its cost, or its map, that of another type


class Falling(Section):
    """SGD whose learning rate falls when the validation loss has not fallen for a while; the last weights."""

    name: Literal["plateau"]
    lr: Rate
    momentum: Share
    dampening: Share
    weight_decay: Decay
    batch: Batch  # clips
    micro_batch: Batch | None  # clips at once, whose gradients are added up to those of a batch; null: all of it
    epochs: Epochs
    patience: Patience  # epochs without a lower validation loss; the next one is too many
    factor: Annotated[float, Field(gt=0, lt=1)]  # by which lr falls
    precision: Literal["float32", "mixed"]  # mixed: bfloat16 where it is safe; on a GPU alone

    @model_validator(mode="after")
    def _fits_together(self) -> Falling:
        if self.micro_batch is not None and self.micro_batch > self.batch:
            raise ValueError(f"optim.micro_batch={self.micro_batch}: allowed: up to optim.batch={self.batch}")
        return self


class ActionRun(Run):
    """One run of action recognition."""

    LATER: ClassVar[dict[str, Any]] = {"experiment.control": "none", "data.border": 0}

    experiment: Action
    arch: Annotated[
        VideoArch, Choice(lambda: dict.fromkeys(("equivariance", "torchvision_video"), VideoArch), "library")
    ]
    init: Scratch
    conv: VideoConv
    data: Annotated[Films, Choice(film_kinds)]
    optim: Annotated[Falling, Choice.of(Falling)]
    engine: Literal["auto", "dense"]
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> ActionRun:
        if self.init.checkpoint:
            raise ValueError(f"init.checkpoint={self.init.checkpoint}: allowed: null with experiment=action")
        if wrong := complaint(self.experiment.control, self.conv.name):
            raise ValueError(wrong)
        if self.experiment.control == "width" and self.arch.library != "equivariance":
            raise ValueError(f"experiment.control=width: there is no wider arch={self.arch.name}; allowed: resnet3d_…")
        if getattr(self.data, "event", "whole") == "class" and self.experiment.control != "none":
            raise ValueError(f"experiment.control={self.experiment.control}: allowed: none with data.event=class")
        return self
