"""What a run of the rook dilemma is."""

from typing import Annotated, Literal

from pydantic import Field

from equivariance.config import Choice, Scratch, Section
from equivariance.config.base import Batch, Epochs, Rate, Share
from equivariance.config.run import Named
from equivariance.experiments.controlled.config import ControlledRun, OwnData


class Rook(Named):
    """Telling a rook at the upper left from one at the bottom right with one filter (section 3.1)."""

    name: Literal["rook"]
    kernel: Annotated[int, Field(ge=3, le=31)]  # pixels a side, odd


class RookData(OwnData):
    """Two images of the rook."""

    name: Literal["rook"]
    side: Annotated[int, Field(ge=16, le=512)]  # pixels


class PlainSgd(Section):
    """SGD for a fixed number of epochs, examples in a fixed order."""

    name: Literal["plain_sgd"]
    lr: Rate
    momentum: Share
    batch: Batch
    epochs: Epochs


class RookRun(ControlledRun):
    """One run of the rook dilemma."""

    experiment: Rook
    init: Scratch
    data: Annotated[RookData, Choice.of(RookData)]
    optim: Annotated[PlainSgd, Choice.of(PlainSgd)]
