"""What a run of the audit is."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from equivariance.config import AnyArch, Choice, Downsample, NoTraining, Run
from equivariance.config.data import Pictures
from equivariance.config.labelled import Labelled, labelled_kinds, listed
from equivariance.config.run import Named
from equivariance.registries import DATA, data_kinds


class Audit(Named):
    """All questions asked of one network."""

    name: Literal["audit"]
    input_size: Annotated[int, Field(ge=8, le=4096)]  # pixels a side of the images it is used on
    shown: bool  # whether the test pictures of `data` are shown, for leak distance and consistency
    side: Annotated[int, Field(ge=4, le=4096)]  # pixels a side of each
    remedies: bool  # whether the same is asked of the network under other boundaries and sampling
    output: str | None  # keys on the way to the output that is meant, where there are several, between dots
    order: Annotated[list[str] | None, BeforeValidator(listed)]  # the class that each output tells; null: the data's


class AuditRun(Run):
    """One run of the audit."""

    LATER: ClassVar[dict[str, Any]] = {"experiment.order": None}

    experiment: Audit
    arch: AnyArch
    data: Annotated[Pictures | Labelled, Choice(lambda: {**data_kinds(), **labelled_kinds()})]
    optim: Annotated[NoTraining, Choice.of(NoTraining)]
    downsample: Downsample
    engine: Literal["auto"]
    tolerance: Annotated[float, Field(ge=0, le=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> AuditRun:
        experiment, data = self.experiment, self.data
        if self.init.name not in ("frozen-random", "frozen-pretrained"):
            raise ValueError(f"init={self.init.name}: allowed: frozen-random | frozen-pretrained")
        if self.arch.library == "python" and self.init.name == "frozen-pretrained" and not self.init.checkpoint:
            raise ValueError(
                "init.checkpoint=null: arch=python has no published weights; allowed: init.checkpoint=FILE"
            )
        if experiment.shown and isinstance(data, Pictures) and data.pictures < 4:
            raise ValueError(f"data.pictures={data.pictures}: allowed: 4 and more with experiment.shown=true")
        key, side = ("experiment", experiment.side) if isinstance(data, Pictures) else ("data", data.side)
        if experiment.shown and side > experiment.input_size - 2:
            raise ValueError(
                f"{key}.side={side}: allowed: 4 to {experiment.input_size - 2}, to be moved on"
                f" experiment.input_size={experiment.input_size}"
            )
        if experiment.shown and isinstance(data, Pictures) and DATA.get(data.name).rooted and not data.root:
            raise ValueError(f"data.root=null: data={data.name} needs a folder; allowed: data.root=FOLDER")
        return self
