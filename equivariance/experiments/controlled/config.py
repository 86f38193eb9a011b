"""What a run of a controlled experiment is: its own network on its own images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equivariance.config import Choice, Init, Run, Section


class OwnArch(Section):
    """The network of a controlled experiment."""

    library: Literal["controlled"]
    name: str


class OwnData(Section):
    """The images of a controlled experiment."""

    name: str


class Fixed(Init):
    """Weights that the experiment sets."""

    name: Literal["fixed"]


class ControlledRun(Run):
    """One run of a controlled experiment."""

    arch: Annotated[OwnArch, Choice(lambda: {"controlled": OwnArch}, "library")]
    data: OwnData
    engine: Literal["auto", "dense"]  # auto: each distinct patch once
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> ControlledRun:
        name, kernel = self.experiment.name, getattr(self.experiment, "kernel", 3)
        if self.arch.name != name:
            raise ValueError(f"arch.name={self.arch.name}: allowed: {name} with experiment={name}")
        if self.init.checkpoint:
            raise ValueError(f"init.checkpoint={self.init.checkpoint}: allowed: null with experiment={name}")
        if kernel % 2 == 0 or kernel > getattr(self.data, "side", kernel):
            raise ValueError(f"experiment.kernel={kernel}: allowed: odd numbers up to data.side")
        return self
