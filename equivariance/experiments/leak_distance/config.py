"""What a run of the leak distance is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.experiments.location.config import Location, LocationRun


class LeakDistance(Location):
    """The largest border at which the place can be told."""

    name: Literal["leak_distance"]
    border_as: Literal["pixels"]  # a border in the first padding changes the network from border to border
    resolution: Annotated[int, Field(ge=1, le=4096)]  # pixels; the borders tried are its multiples
    confidence: Annotated[float, Field(ge=0.5, lt=1)]  # of "can be told", at each border for itself
    limit: Annotated[int, Field(ge=0, le=65_536)]  # pixels; largest border tried where theory knows no bound


class LeakDistanceRun(LocationRun):
    """One run of the leak distance."""

    experiment: LeakDistance
    border: Literal[0]  # the run tries borders of its own

    @model_validator(mode="after")
    def _on_unseen_pictures(self) -> LeakDistanceRun:
        if self.data.splits == "shared":
            raise ValueError(
                "data.splits=shared: allowed: disjoint with experiment=leak_distance, which tests for chance"
            )
        return self
