"""Recipes for a fixed number of epochs, whose learning rate follows a schedule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config.base import Batch, Decay, Epochs, Rate, Section, Share


class Scheduled(Section):
    """SGD with a schedule."""

    name: str
    lr: Rate  # of the first epoch
    momentum: Share
    nesterov: bool
    weight_decay: Decay
    batch: Batch
    micro_batch: Batch | None  # images at once, whose gradients are added up to those of a batch; null: all of it
    epochs: Epochs
    precision: Literal["float32", "mixed"]  # mixed: bfloat16 where it is safe, channels last; on a GPU alone

    @model_validator(mode="after")
    def _fits_together(self) -> Scheduled:
        if self.micro_batch is not None and self.micro_batch > self.batch:
            raise ValueError(f"optim.micro_batch={self.micro_batch}: allowed: up to optim.batch={self.batch}")
        if self.nesterov and not self.momentum:
            raise ValueError("optim.nesterov=true: allowed with optim.momentum above 0")
        return self


class Cosine(Scheduled):
    """Falls by half a cosine to 0."""

    name: Literal["cosine"]


class Step(Scheduled):
    """Falls by a factor every so many epochs."""

    name: Literal["step"]
    every: Epochs
    factor: Annotated[float, Field(gt=0, lt=1)]
