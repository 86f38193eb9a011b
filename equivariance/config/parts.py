"""The parts of a run that every experiment has: network, weights, boundary, recipe, tracking."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from equivariance.config.base import Batch, Choice, Count, Decay, Epochs, Patience, Rate, Section, Share
from equivariance.registries import CONVS

Path = str


class Arch(Section):
    """A classification network, by library and name."""

    library: Literal["equivariance", "torchvision", "timm", "efficientnet_lite"]
    name: str
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]  # of each channel, pixels in [0, 1]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]
    maxpool_kernel: Annotated[int, Field(ge=1, le=16)] | None  # of the first max pooling; null: as published


class PythonArch(Arch):
    """Any callable of one's own that returns an nn.Module, as `module:name`."""

    library: Literal["python"]  # type: ignore[assignment]
    name: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]
    kwargs: dict[str, Any] | None  # of the callable
    features: str | None  # module whose output is the feature map; null: the last that gives a map


def _arches() -> dict[str, type[Section]]:
    return dict.fromkeys(("equivariance", "torchvision", "timm", "efficientnet_lite"), Arch) | {"python": PythonArch}


AnyArch = Annotated[Arch, Choice(_arches, "library")]


class Init(Section):
    """Which weights a network starts from and which of them train."""

    name: Literal["scratch", "frozen-random", "frozen-pretrained", "fixed"]
    checkpoint: Path | None  # a local file of weights for the whole network
    batchnorm: Literal["frozen", "adapting"]  # of a frozen trunk

    @property
    def fixed(self) -> bool:
        """Whether nothing of the trunk moves in training, so that its features can be computed once."""
        return self.name != "scratch" and self.batchnorm == "frozen"


class Scratch(Init):
    """Random weights, all of them trained."""

    name: Literal["scratch"]


class Pretrained(Init):
    """Published weights, none of them trained."""

    name: Literal["frozen-pretrained"]


def _registered(name: str) -> str:
    if name not in CONVS.names():
        raise PydanticCustomError("choice", "no such type", {"allowed": CONVS.names()})
    return name


class Conv(Section):
    """How a network meets the boundary."""

    name: Annotated[str, AfterValidator(_registered)]
    pools: Literal["padded", "inside"]  # inside: full convolution leaves pooling unpadded, as the authors' networks

    @model_validator(mode="after")
    def _read(self) -> Conv:
        if self.pools == "inside" and self.name != "full":
            raise ValueError(f"conv.pools=inside: allowed with conv=full, not with conv={self.name}")
        return self

    @property
    def rule(self) -> str:
        """The name under which the models know it."""
        return "full, pools inside" if (self.name, self.pools) == ("full", "inside") else self.name


class Downsample(Section):
    """How strided layers sample."""

    name: Literal["strided", "blur", "polyphase"]
    size: Annotated[int, Field(ge=1, le=7)]  # taps of the blur's filter along an axis

    @model_validator(mode="after")
    def _filtered(self) -> Downsample:
        if self.name != "blur" and self.size != 1:
            raise ValueError(f"downsample.size={self.size}: allowed: 1 but with downsample=blur")
        return self


class Sgd(Section):
    """The paper's recipe: SGD and a plateau rule on the validation loss."""

    name: Literal["sgd"]
    lr: Rate
    momentum: Share
    nesterov: bool
    weight_decay: Decay
    batch: Batch
    epochs: Epochs  # at most
    patience: Patience  # epochs without improvement before lr falls
    factor: Annotated[float, Field(gt=0, lt=1)]  # by which lr falls
    min_lr: Annotated[float, Field(ge=0, le=100)]  # training ends when lr has fallen to it


class Probe(Section):
    """A converged linear probe: standardised features, L2-regularised logistic regression by L-BFGS."""

    name: Literal["probe"]
    l2: Annotated[float, Field(gt=0, le=1e6)]  # half the squared weights times this is added to the mean loss
    iterations: Count  # at most


class NoTraining(Section):
    """Nothing is trained."""

    name: Literal["none"]


class Tracking(Section):
    """Where MLflow keeps the runs."""

    uri: str | None  # null: sqlite in the working folder, which `python -m sweeps ui` shows
    sweep: str | None  # name under which a sweep's runs are grouped
