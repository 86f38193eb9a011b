"""The typed schema of the experiments that ask where a picture lies: quadrant and leak distance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from equivariance.config_base import Section


class Location(Section):
    """A picture at the upper left or at the bottom right (Kayhan & van Gemert 2020, section 3.1)."""

    picture: Annotated[int, Field(ge=8, le=512)]  # pixels a side
    canvas: Annotated[int, Field(ge=16, le=4096)]  # pixels a side, without the border
    background: Literal["mean", "black"]  # mean: 0 after normalisation
    pooling: Literal["max", "avg", "released"]
    border_as: Literal["pixels", "padding"]  # padding: the first convolution's, as released


class Quadrant(Location):
    """Whether the place can be told at one border."""

    name: Literal["quadrant"]


class LeakDistance(Location):
    """The largest border at which it can be told."""

    name: Literal["leak_distance"]
    border_as: Literal["pixels"]  # a border in the first padding changes the network from border to border
    resolution: Annotated[int, Field(ge=1, le=4096)]  # pixels; the borders tried are its multiples
    confidence: Annotated[float, Field(ge=0.5, lt=1)]  # of "can be told", at each border for itself
    limit: Annotated[int, Field(ge=0, le=65_536)]  # pixels; largest border tried where theory knows no bound
