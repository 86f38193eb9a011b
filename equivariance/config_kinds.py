"""Which config each experiment takes: what fits together is a type."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import Config, Init, LocationConfig
from equivariance.config_controls import (
    Adadelta,
    Controlled,
    Impulse,
    ImpulseData,
    NoTraining,
    PlainSgd,
    RedGreen,
    RedGreenData,
    Rook,
    RookData,
)
from equivariance.config_location import LeakDistance, Quadrant


class QuadrantConfig(LocationConfig):
    """One run of the quadrant experiment."""

    experiment: Quadrant


class LeakDistanceConfig(LocationConfig):
    """One run of the leak distance."""

    experiment: LeakDistance
    border: Literal[0]  # the run tries borders of its own

    @model_validator(mode="after")
    def _on_unseen_pictures(self) -> LeakDistanceConfig:
        if self.data.splits == "shared":
            raise ValueError(
                "data.splits=shared: allowed: disjoint with experiment=leak_distance, which tests for chance"
            )
        return self


class Scratch(Init):
    """Random weights, all of them trained."""

    name: Literal["scratch"]


class Fixed(Init):
    """Weights that the experiment sets."""

    name: Literal["fixed"]


class ControlledConfig(Config):
    """One run of a controlled experiment: its own network on its own images."""

    arch: Controlled
    border: Literal[0]  # the images have the size they have
    engine: Literal["auto", "dense"]  # auto: each distinct patch once
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> ControlledConfig:
        name, kernel = self.experiment.name, getattr(self.experiment, "kernel", 3)
        if self.arch.name != name:
            raise ValueError(f"arch.name={self.arch.name}: allowed: {name} with experiment={name}")
        if self.init.checkpoint:
            raise ValueError(f"init.checkpoint={self.init.checkpoint}: allowed: null with experiment={name}")
        if kernel % 2 == 0 or kernel > getattr(self.data, "side", kernel):
            raise ValueError(f"experiment.kernel={kernel}: allowed: odd numbers up to data.side")
        return self


class ImpulseConfig(ControlledConfig):
    """One run of the impulse figure."""

    experiment: Impulse
    init: Fixed
    data: ImpulseData
    optim: NoTraining
    seed: Literal[0]  # nothing is random


class RookConfig(ControlledConfig):
    """One run of the rook dilemma."""

    experiment: Rook
    init: Scratch
    data: RookData
    optim: PlainSgd


class RedGreenConfig(ControlledConfig):
    """One run of Red-Green."""

    experiment: RedGreen
    init: Scratch
    data: RedGreenData
    optim: Adadelta


KINDS: dict[str, type[Config]] = {
    "quadrant": QuadrantConfig,
    "leak_distance": LeakDistanceConfig,
    "impulse": ImpulseConfig,
    "rook": RookConfig,
    "red_green": RedGreenConfig,
}
