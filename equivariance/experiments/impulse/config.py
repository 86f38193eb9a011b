"""What a run of the impulse figure is."""

from typing import Annotated, Literal

from pydantic import Field

from equivariance.config import Choice, NoTraining
from equivariance.config.run import Named
from equivariance.experiments.controlled.config import ControlledRun, Fixed, OwnData


class Impulse(Named):
    """What a filter with a single tap makes of a single bright pixel (Kayhan & van Gemert 2020, figure 2)."""

    name: Literal["impulse"]
    kernel: Annotated[int, Field(ge=3, le=31)]  # taps a side, odd
    tap: Literal["top-left", "centre", "bottom-right"]


class ImpulseData(OwnData):
    """Two images of one bright pixel."""

    name: Literal["impulse"]
    side: Annotated[int, Field(ge=3, le=512)]  # pixels


class ImpulseRun(ControlledRun):
    """One run of the impulse figure."""

    experiment: Impulse
    init: Fixed
    data: Annotated[ImpulseData, Choice.of(ImpulseData)]
    optim: Annotated[NoTraining, Choice.of(NoTraining)]
    seed: Literal[0]  # nothing is random
