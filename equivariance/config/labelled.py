"""The sections of data sets whose pictures have a class each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from equivariance.config.base import Kinds, Section, Seed

Images = Annotated[int, Field(ge=10, le=2_000_000)]  # of a split
Side = Annotated[int, Field(ge=8, le=1024)]  # pixels


class Labelled(Section):
    """What all of them have."""

    name: str
    root: str | None  # folder of the data set
    train: Images | None  # null, where it may be: all
    validation: Images
    test: Images | None
    side: Side  # of a picture
    augment: Literal["none", "flip", "crop"]  # of training pictures; crop: a random part, half of them mirrored
    seed: Seed  # of the choice of images


class Objects(Labelled):
    """Labelled pictures of objects."""

    name: Literal["digits", "fashion_mnist", "cifar10"]
    train: Images
    test: Images

    @model_validator(mode="after")
    def _fits_together(self) -> Objects:
        if self.name != "digits" and not self.root:
            raise ValueError(f"data.root=null: data={self.name} needs a folder; allowed: data.root=FOLDER")
        return self


class LabelledPhotos(Labelled):
    """Crops of photographs, whose class is the photograph."""

    name: Literal["labelled_photos"]
    root: None
    train: Images
    test: Images


def listed(value: Any) -> Any:
    """The classes in a text file, one a line."""
    if not isinstance(value, str):
        return value
    try:
        return Path(value).read_text().split()
    except (OSError, ValueError):
        raise PydanticCustomError(
            "choice", "no list", {"allowed": ["null", "a list of names of sub-folders", "a text file, one name a line"]}
        ) from None


class LabelledFolder(Labelled):
    """Pictures in root/train/<class> and root/val/<class>."""

    name: Literal["labelled_folder", "labelled_imagenet"]
    resize: Side  # shorter side, before the central square of `side` is cut out
    classes: Annotated[list[str] | None, BeforeValidator(listed)]  # null: all that the folder has
    workers: Annotated[int, Field(ge=0, le=256)]  # threads that read pictures while the network computes; 0: none

    @model_validator(mode="after")
    def _fits_together(self) -> LabelledFolder:
        if not self.root:
            raise ValueError(f"data.root=null: data={self.name} needs a folder; allowed: data.root=FOLDER")
        if self.resize < self.side:
            raise ValueError(f"data.resize={self.resize}: allowed: from data.side={self.side}")
        if self.classes is not None and len(set(self.classes)) < max(2, len(self.classes)):
            raise ValueError(f"data.classes: {len(self.classes)} names; allowed: two or more, each once")
        return self


def labelled_kinds() -> Kinds:
    """The section of the config of every data set with classes."""
    return {
        **dict.fromkeys(("digits", "fashion_mnist", "cifar10"), Objects),
        "labelled_photos": LabelledPhotos,
        **dict.fromkeys(("labelled_folder", "labelled_imagenet"), LabelledFolder),
    }
