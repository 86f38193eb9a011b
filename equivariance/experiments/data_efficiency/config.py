"""What a run of the data-efficiency experiment is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import AnyArch, Choice, Run, Scratch
from equivariance.config.base import Count, Kinds, Section
from equivariance.config.controls import Control, complaint
from equivariance.config.labelled import Labelled, LabelledFolder, LabelledPhotos, Objects, labelled_kinds
from equivariance.config.run import Named
from equivariance.config.training import Cosine, Scheduled, Step

# Networks of which there are wider ones, by the key that says how wide.
WIDTHS = {"resnet8": "width", "resnet20": "width"}
WIDTHS |= dict.fromkeys(("resnet50", "resnet101", "resnet152"), "width_per_group")


class DataEfficiency(Named):
    """How accurate a classifier is that has seen few pictures."""

    name: Literal["data_efficiency"]
    canvas: Annotated[int, Field(ge=8, le=1024)]  # pixels a side of the image
    placement: Literal["centred", "random"]  # where a picture lies on it; random: each at one place of its own
    background: Literal["black", "mean"]  # mean: 0 after normalisation
    control: Control  # what makes its cost, or its map, that of another type
    selection: Literal["last", "validation", "test"]  # whose weights are tested: the last epoch's, or the best one's
    statistics: Literal["split", "running"]  # of batch normalisation: of the training pictures, after training


class FewObjects(Objects):
    """Objects, some of each class."""

    per_class: Count | None  # training pictures; null: all


class FewPhotos(LabelledPhotos):
    """Crops of photographs, some of each class."""

    per_class: Count | None


class FewPictures(LabelledFolder):
    """Folders of pictures, some of each class."""

    per_class: Count | None


class UpdatedCosine(Cosine):
    """For so many updates, where they are given; an epoch is then a share of these."""

    updates: Count | None  # of the weights; null: optim.epochs are passes over the pictures


class UpdatedStep(Step):
    """For so many updates, where they are given; the rate falls after the same shares of them."""

    updates: Count | None


def _kinds() -> Kinds:
    few: dict[type[Section], type[Section]] = {
        Objects: FewObjects,
        LabelledPhotos: FewPhotos,
        LabelledFolder: FewPictures,
    }
    return {name: few[kind] for name, kind in labelled_kinds().items()}


class DataEfficiencyRun(Run):
    """One run of the data-efficiency experiment."""

    experiment: DataEfficiency
    arch: AnyArch
    init: Scratch
    data: Annotated[Labelled, Choice(_kinds)]
    optim: Annotated[Scheduled, Choice.of(UpdatedCosine, UpdatedStep)]
    engine: Literal["auto", "dense"]
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> DataEfficiencyRun:
        experiment, side = self.experiment, self.data.side
        if experiment.canvas < side:
            raise ValueError(f"experiment.canvas={experiment.canvas}: allowed: from data.side={side}")
        if wrong := complaint(experiment.control, self.conv.name):
            raise ValueError(wrong)
        if experiment.control == "width" and self.widening is None:
            raise ValueError(
                f"experiment.control=width: there is no wider arch={self.arch.name}; allowed: {' | '.join(WIDTHS)},"
                " or arch=python with a number arch.kwargs.width"
            )
        updates, epochs = self.optim.updates, self.optim.epochs  # type: ignore[attr-defined]
        if updates is not None and updates < epochs:
            raise ValueError(f"optim.updates={updates}: allowed: null, or from optim.epochs={epochs}, each has a share")
        if self.init.checkpoint:
            raise ValueError(f"init.checkpoint={self.init.checkpoint}: allowed: null with experiment=data_efficiency")
        return self

    @property
    def widening(self) -> str | None:
        """What says how wide the network is; None: nothing does."""
        own = getattr(self.arch, "kwargs", None) or {}
        if self.arch.library == "python":
            return "width" if type(own.get("width")) is int else None  # True is an int, too
        return WIDTHS.get(self.arch.name) if self.arch.library in ("equivariance", "torchvision") else None
