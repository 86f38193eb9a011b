"""What a run of Red-Green is."""

from typing import Annotated, Literal

from pydantic import Field

from equivariance.config import Choice, Scratch, Section
from equivariance.config.base import Batch, Decay, Epochs, Patience, Rate, Seed, Share
from equivariance.config.run import Named
from equivariance.experiments.controlled.config import ControlledRun, OwnData

Images = Annotated[int, Field(ge=2, le=4000)]  # of a split; the generator knows 23 680 different ones


class RedGreen(Named):
    """Whether red is left of green, with a location bias in training (section 3.2)."""

    name: Literal["red_green"]
    shifts: Annotated[int, Field(ge=16, le=18)]  # rows: the curve goes from 0 to here; at 16 heights are swapped


class RedGreenData(OwnData):
    """Images of a red and a green box."""

    name: Literal["red_green"]
    train: Images
    validation: Images
    test: Images
    splits: Literal["disjoint", "shared"]  # shared: validation and test repeat the first training images, as released
    seed: Seed  # of the images; with disjoint splits each takes the next number


class Adadelta(Section):
    """Adadelta until the validation loss stops falling."""

    name: Literal["adadelta"]
    lr: Rate
    rho: Share
    eps: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Decay
    batch: Batch
    epochs: Epochs  # at most
    patience: Patience  # epochs without a lower validation loss; one more ends training
    shuffle: bool  # anew each epoch; false: always in the order of the data, as released


class RedGreenRun(ControlledRun):
    """One run of Red-Green."""

    experiment: RedGreen
    init: Scratch
    data: Annotated[RedGreenData, Choice.of(RedGreenData)]
    optim: Annotated[Adadelta, Choice.of(Adadelta)]
