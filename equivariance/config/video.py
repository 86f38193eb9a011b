"""The sections of a run on videos: the network, and the axes that a convolution type is about."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config.base import Section
from equivariance.config.parts import Conv


class VideoArch(Section):
    """A network for videos."""

    library: Literal["equivariance", "torchvision_video"]
    name: str
    width: Annotated[int, Field(ge=1, le=512)] | None  # channels of the first stage; null: as published
    time_stride: Literal[1, 2] | None  # of the stem; null: 1, but 2 for released networks with conv.axes=space+time
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]  # of each channel, pixels in [0, 1]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]

    @model_validator(mode="after")
    def _ours(self) -> VideoArch:
        if self.library == "torchvision_video" and (self.width, self.time_stride) != (None, None):
            raise ValueError(f"arch.width={self.width}: allowed: null, and arch.time_stride=null, with torchvision's")
        return self


class VideoConv(Conv):
    """How a network of videos meets the boundary."""

    axes: Literal["space", "space+time"]  # that the type is about; the others stay as published
    # own: as the network pads it, which the released protocol implies; only full has a choice.
    pools: Literal["padded", "inside", "own"]  # type: ignore[assignment]

    @property
    def rule(self) -> str:
        """The name under which the models know it."""
        return "full, pools own" if (self.name, self.pools) == ("full", "own") else super().rule
