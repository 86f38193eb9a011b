"""What a run of patch matching is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import Choice, Run, Scratch, Section
from equivariance.config.base import Batch, Decay, Epochs, Rate, Seed, Share
from equivariance.config.run import Named
from equivariance.errors import UserError, printable

Pairs = Annotated[int, Field(ge=20, le=1_000_000)]  # of patches; half of them match
Tour = Literal["yosemite", "liberty", "notredame"]
TOURS: tuple[Tour, ...] = ("yosemite", "liberty", "notredame")


class PatchMatching(Named):
    """Which of two patches show the same point, by the distance of their descriptors (section 4.2)."""

    name: Literal["patch_matching"]
    triplets: Annotated[int, Field(ge=2, le=10_000_000)]  # that are trained on
    head: Literal["flat", "max", "whole", "global"]
    margin: Annotated[float, Field(gt=0, le=2)]  # of the loss; descriptors are at most 2 apart


class HardNetArch(Section):
    """HardNet."""

    library: Literal["equivariance"]
    name: Literal["hardnet"]
    dropout: Share
    gain: Annotated[float, Field(gt=0, le=10)]  # of the orthogonal initial weights
    mean: Annotated[float, Field(ge=0, le=1)]  # pixels in [0, 1]
    std: Annotated[float, Field(gt=0, le=1)]


class PatchData(Section):
    """Patches of points."""

    name: str
    root: str | None
    pairs: Pairs | None
    seed: Seed

    def files(self) -> list[Path]:
        """The files that it reads, to be part of a run's identity."""
        return []


class Views(PatchData):
    """Patches from what the scikit-image wheel ships."""

    name: Literal["views"]
    root: None
    pairs: Pairs


class HPatches(PatchData):
    """Registered views of points, in one file."""

    name: Literal["hpatches"]
    pairs: Pairs
    tested: list[str] | None  # sequences that are tested on; null: every second one

    def files(self) -> list[Path]:
        """The file.

        Raises: UserError: it is not there.
        """
        path = Path(str(self.root))
        if not path.is_file():
            raise UserError(f"data.root={printable(path)}: no such file")
        return [path]


class PhotoTour(PatchData):
    """The PhotoTour sets; those that are not trained on are tested on."""

    name: Literal["phototour"]
    train: Tour
    pairs: Pairs | None  # of each of the two others; null: all that are published

    @property
    def tested(self) -> list[str]:
        """The sets that are tested on."""
        return [name for name in TOURS if name != self.train]

    def files(self) -> list[Path]:
        """The files of all three sets.

        Raises: UserError: one is not there.
        """
        from equivariance.experiments.patch_matching.phototour import files

        return [file for name in TOURS for file in files(Path(str(self.root)) / name)]


class Linear(Section):
    """SGD whose learning rate falls linearly to 0, step by step."""

    name: Literal["linear"]
    lr: Rate
    momentum: Share
    dampening: Share
    weight_decay: Decay
    batch: Batch  # triplets
    epochs: Epochs


class PatchMatchingRun(Run):
    """One run of patch matching."""

    experiment: PatchMatching
    arch: Annotated[HardNetArch, Choice(lambda: {"equivariance": HardNetArch}, "library")]
    init: Scratch
    data: Annotated[PatchData, Choice.of(Views, HPatches, PhotoTour)]
    optim: Annotated[Linear, Choice.of(Linear)]
    engine: Literal["auto", "dense"]
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> PatchMatchingRun:
        data, batch, triplets = self.data, self.optim.batch, self.experiment.triplets
        if data.name != "views" and not data.root:
            what = "FILE.npz" if data.name == "hpatches" else f"FOLDER with the folders {', '.join(TOURS)}"
            raise ValueError(f"data.root=null: data={data.name} needs it; allowed: data.root={what}")
        if data.pairs is not None and data.pairs % 2:
            raise ValueError(f"data.pairs={data.pairs}: half of them match; allowed: even numbers")
        if batch < 2 or triplets % batch == 1:
            raise ValueError(
                f"optim.batch={batch}: of experiment.triplets={triplets} one is left alone, without another to be told"
                " from; allowed: a batch that leaves none or more"
            )
        if self.conv.name == "valid" and self.experiment.head in ("flat", "max"):
            raise ValueError(
                f"experiment.head={self.experiment.head}: conv=valid leaves a map of 3×3, the 8×8 layer needs more;"
                " allowed: whole | global"
            )
        if self.init.checkpoint:
            raise ValueError(f"init.checkpoint={self.init.checkpoint}: allowed: null with experiment=patch_matching")
        return self
