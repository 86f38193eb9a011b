"""The typed schema of the three controlled experiments: impulse, rook and Red-Green."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from equivariance.config_base import Batch, Epochs, Momentum, Rate, Section, Seed

Images = Annotated[int, Field(ge=2, le=4000)]  # of a split; the generator knows 23 680 different ones


class Impulse(Section):
    """What a filter with a single tap makes of a single bright pixel (Kayhan & van Gemert 2020, figure 2)."""

    name: Literal["impulse"]
    kernel: Annotated[int, Field(ge=3, le=31)]  # taps a side, odd
    tap: Literal["top-left", "centre", "bottom-right"]


class Rook(Section):
    """Telling a rook at the upper left from one at the bottom right with one filter (section 3.1)."""

    name: Literal["rook"]
    kernel: Annotated[int, Field(ge=3, le=31)]  # pixels a side, odd


class RedGreen(Section):
    """Whether red is left of green, with a location bias in training (section 3.2)."""

    name: Literal["red_green"]
    shifts: Annotated[int, Field(ge=16, le=18)]  # rows: the curve goes from 0 to here; at 16 heights are swapped


class Controlled(Section):
    """The network of a controlled experiment."""

    library: Literal["controlled"]
    name: Literal["impulse", "rook", "red_green"]


class ImpulseData(Section):
    """Two images of one bright pixel."""

    name: Literal["impulse"]
    side: Annotated[int, Field(ge=3, le=512)]  # pixels


class RookData(Section):
    """Two images of the rook."""

    name: Literal["rook"]
    side: Annotated[int, Field(ge=16, le=512)]  # pixels


class RedGreenData(Section):
    """Images of a red and a green box."""

    name: Literal["red_green"]
    train: Images
    validation: Images
    test: Images
    splits: Literal["disjoint", "shared"]  # shared: validation and test repeat the first training images, as released
    seed: Seed  # of the images; with disjoint splits each takes the next number


class PlainSgd(Section):
    """SGD for a fixed number of epochs, examples in a fixed order."""

    name: Literal["plain_sgd"]
    lr: Rate
    momentum: Momentum
    batch: Batch
    epochs: Epochs


class Adadelta(Section):
    """Adadelta until the validation loss stops falling."""

    name: Literal["adadelta"]
    lr: Rate
    rho: Momentum
    eps: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    batch: Batch
    epochs: Epochs  # at most
    patience: Annotated[int, Field(ge=0, le=100_000)]  # epochs without a lower validation loss; one more ends training
    shuffle: bool  # anew each epoch; false: always in the order of the data, as released


class NoTraining(Section):
    """Nothing is trained."""

    name: Literal["none"]
