"""The typed schema of a run: every name, range and cross-check is spelled here and nowhere else.

A config is composed by Hydra from `conf/`; `validate` turns it into a `Config` or says in one line what is wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from equivariance.config_base import Section
from equivariance.config_controls import (
    Adadelta,
    Controlled,
    Impulse,
    ImpulseData,
    NoTraining,
    PlainSgd,
    RedGreen,
    RedGreenData,
    Rook,
    RookData,
)
from equivariance.config_location import LeakDistance, Quadrant
from equivariance.edition import EDITION
from equivariance.errors import UserError

Unit = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Path = str


class Arch(Section):
    """A classification network, by library and name."""

    library: Literal["equivariance", "torchvision", "timm", "efficientnet_lite"]
    name: str
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]  # of each channel, pixels in [0, 1]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]
    maxpool_kernel: Annotated[int, Field(ge=1, le=16)] | None  # of the first max pooling; null: as published


class Init(Section):
    """Which weights a network starts from and which of them train."""

    name: Literal["scratch", "frozen-random", "frozen-pretrained", "fixed"]
    checkpoint: Path | None  # a local file of weights for the whole network
    batchnorm: Literal["frozen", "adapting"]  # of a frozen trunk

    @property
    def fixed(self) -> bool:
        """Whether nothing of the trunk moves in training, so that its features can be computed once."""
        return self.name != "scratch" and self.batchnorm == "frozen"


class Conv(Section):
    """How a network meets the boundary."""

    name: Literal["same", "valid", "full", "unbounded", "circular", "reflect", "replicate", "partial"]
    pools: Literal["padded", "inside"]  # inside: full convolution leaves pooling unpadded, as the authors' networks

    @property
    def rule(self) -> str:
        """The name under which the models know it."""
        return "full, pools inside" if (self.name, self.pools) == ("full", "inside") else self.name


class Data(Section):
    """Where the pictures come from and how they are split."""

    name: Literal["photos", "folder", "imagenet"]
    root: Path | None  # of an image folder
    pictures: Annotated[int, Field(ge=1, le=100_000)]  # source pictures per split; each appears once in each class
    crop: Annotated[float, Field(gt=0, le=1)]  # side of the central crop, as a share of the shorter side
    resize: Literal["antialias", "released"]
    splits: Literal["disjoint", "shared"]  # shared: validation and test are the training pictures, as released
    augment: Literal["none", "flip"]  # flip: each training picture also mirrored left-right
    seed: Annotated[int, Field(ge=0, lt=2**31)]  # of the choice of crops from photographs


class Sgd(Section):
    """The paper's recipe: SGD and a plateau rule on the validation loss."""

    name: Literal["sgd"]
    lr: Annotated[float, Field(gt=0, le=100)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    nesterov: bool
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    batch: Annotated[int, Field(ge=1, le=65_536)]  # images
    epochs: Annotated[int, Field(ge=1, le=100_000)]  # at most
    patience: Annotated[int, Field(ge=0, le=100_000)]  # epochs without improvement before lr falls
    factor: Annotated[float, Field(gt=0, lt=1)]  # by which lr falls
    min_lr: Annotated[float, Field(ge=0, le=100)]  # training ends when lr has fallen to it


class Probe(Section):
    """A converged linear probe: standardised features, L2-regularised logistic regression by L-BFGS."""

    name: Literal["probe"]
    l2: Annotated[float, Field(gt=0, le=1e6)]  # half the squared weights times this is added to the mean loss
    iterations: Count  # at most


class Tracking(Section):
    """Where MLflow keeps the runs."""

    uri: str | None  # null: sqlite in the working folder, which `python -m sweeps ui` shows
    sweep: str | None  # name under which a sweep's runs are grouped


class Config(Section):
    """One run."""

    protocol: Literal["paper", "released"]
    experiment: Annotated[Quadrant | LeakDistance | Impulse | Rook | RedGreen, Field(discriminator="name")]
    arch: Annotated[Arch | Controlled, Field(discriminator="library")]
    init: Init
    conv: Conv
    data: Annotated[Data | ImpulseData | RookData | RedGreenData, Field(discriminator="name")]
    optim: Annotated[Sgd | Probe | PlainSgd | Adadelta | NoTraining, Field(discriminator="name")]
    border: Annotated[int, Field(ge=0, le=65_536)]  # pixels on each of the four sides
    seed: Annotated[int, Field(ge=0, lt=2**31)]  # of weights, order of batches and head
    engine: Literal["auto", "canvas", "dense"]  # the same numbers to rounding; auto: the cheaper one
    tolerance: Annotated[float, Field(ge=0, le=1e-3)]  # of the canvas engine, share of a map's largest entry; 0: exact
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    runs: Path  # folder of the run directories
    force: bool  # run anew although a finished run is at hand
    tracking: Tracking


class LocationConfig(Config):
    """One run that asks any network where a picture lies."""

    experiment: Quadrant | LeakDistance
    arch: Arch
    data: Data
    optim: Annotated[Sgd | Probe, Field(discriminator="name")]

    @model_validator(mode="after")
    def _fits_together(self) -> LocationConfig:
        for complaint in complaints(self):
            raise ValueError(complaint)
        return self


def complaints(config: LocationConfig) -> list[str]:
    """What each key allows alone but not together, one line each."""
    experiment, data, frozen = config.experiment, config.data, config.init.name != "scratch"
    found = []
    if experiment.canvas < 2 * experiment.picture:
        found.append(
            f"experiment.canvas={experiment.canvas}: two pictures of experiment.picture={experiment.picture}"
            " do not fit side by side; allowed: twice the picture or more"
        )
    if data.name != "photos" and not data.root:
        found.append(f"data.root=null: data={data.name} needs a folder; allowed: data.root=FOLDER")
    if config.optim.name == "probe" and not (frozen and config.init.batchnorm == "frozen"):
        found.append(
            f"optim=probe: needs features that do not change; allowed with init=frozen-random|frozen-pretrained and"
            f" init.batchnorm=frozen, not with init={config.init.name} init.batchnorm={config.init.batchnorm};"
            " optim=sgd trains any"
        )
    if data.name == "photos" and data.crop != 1:
        found.append(f"data.crop={data.crop}: allowed: 1.0 with data=photos, whose crops are random")
    if config.init.checkpoint and config.init.name == "frozen-random":
        found.append(f"init.checkpoint={config.init.checkpoint}: allowed with init=scratch|frozen-pretrained")
    if experiment.border_as == "padding" and config.conv.name != "same":
        found.append(f"experiment.border_as=padding: allowed with conv=same, not with conv={config.conv.name}")
    return found


def validate(raw: dict[str, Any]) -> Config:
    """A composed config, checked.

    Args:
        raw: plain nested values, as composed from `conf/`.
    Returns: The typed config, of the kind that its experiment takes.
    Raises: UserError: one line naming the first wrong key, its value and what is allowed.
    """
    from equivariance.config_errors import explain
    from equivariance.config_kinds import KINDS

    kind, within = Config, ""
    try:
        name = Config.model_validate(raw).experiment.name
        kind, within = KINDS[name], f" with experiment={name}"
        return kind.model_validate(raw)
    except ValidationError as error:
        raise UserError(explain(error, kind, within)) from None


# What decides no number: where a run computes and is kept. Paths are replaced by fingerprints of what they hold.
CIRCUMSTANCES: dict[str, Any] = {
    "engine": True,
    "device": True,
    "runs": True,
    "force": True,
    "tracking": True,
    "data": {"root"},
    "init": {"checkpoint"},
}


def scientific(config: Config, fingerprints: dict[str, str]) -> dict[str, Any]:
    """The part of a config that decides its numbers.

    Args:
        config: the run.
        fingerprints: for `data.root` and `init.checkpoint`, where set, a digest of the contents.
    Returns: Plain nested values, to be hashed into the run's identity.
    """
    return {**config.model_dump(exclude=CIRCUMSTANCES), "fingerprints": fingerprints, "edition": EDITION}
