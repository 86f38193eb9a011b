"""The section of a data set of pictures."""

from typing import Annotated, Literal

from pydantic import Field

from equivariance.config.base import Section, Seed


class Pictures(Section):
    """Where the pictures come from and how they are split."""

    name: str
    root: str | None  # of an image folder
    pictures: Annotated[int, Field(ge=1, le=100_000)]  # source pictures per split; each appears once in each class
    crop: Annotated[float, Field(gt=0, le=1)]  # side of the central crop, as a share of the shorter side
    resize: Literal["antialias", "released"]
    splits: Literal["disjoint", "shared"]  # shared: validation and test are the training pictures, as released
    augment: Literal["none", "flip"]  # flip: each training picture also mirrored left-right
    seed: Seed  # of the choice of crops from photographs
