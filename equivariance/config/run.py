"""One run: what all experiments share, and the check of a composed one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError

from equivariance.config.base import Section, Seed
from equivariance.config.parts import Conv, Init, Path, Tracking
from equivariance.config.refusals import explain
from equivariance.edition import EDITION
from equivariance.errors import UserError
from sweeps.experiments import EXPERIMENTS, schema
from sweeps.registry import load

Module = Annotated[str, Field(pattern=r"^[\w.]+$")]


class Named(Section):
    """An experiment's own settings."""

    name: str


class Run(Section):
    """One run of any experiment; each has a schema of its own that says which kinds of section it takes."""

    model_config = ConfigDict(populate_by_name=True)
    # Keys that came later than runs of this kind, and what they hold where they change nothing: earlier runs did that,
    # and are found again.
    LATER: ClassVar[dict[str, Any]] = {}

    protocol: Literal["paper", "released"]
    experiment: Named
    arch: Section
    init: Init
    conv: Conv
    data: Section
    optim: Section
    seed: Seed  # of weights, order of batches and head
    engine: Literal["auto", "canvas", "dense"]  # the same numbers to rounding; auto: the cheaper one
    tolerance: Annotated[float, Field(ge=0, le=1e-3)]  # of the canvas engine, share of a map's largest entry; 0: exact
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    runs: Path  # folder of the run directories
    force: bool  # run anew although a finished run is at hand
    tracking: Tracking
    imports: Annotated[list[Module], Field(alias="import")]  # modules of one's own, imported before anything else

    def plain(self) -> dict[str, Any]:
        """Nested values, as composed."""
        return self.model_dump(by_alias=True)


def validate(raw: dict[str, Any]) -> Run:
    """A composed config, checked.

    Args:
        raw: plain nested values, as composed from `conf/`.
    Returns: The typed config, of the kind that its experiment takes.
    Raises: UserError: one line naming the first wrong key, its value and what is allowed.
    """
    modules = raw.get("import")
    load([m for m in modules if isinstance(m, str)] if isinstance(modules, list) else [])
    section = raw.get("experiment")
    name = section.get("name") if isinstance(section, dict) else None
    if name not in EXPERIMENTS.names():
        raise UserError(f"experiment.name={name}: allowed: {' | '.join(EXPERIMENTS.names())}")
    kind: type[Run] = schema(str(name))
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise UserError(explain(error, kind, raw, f" with experiment={name}")) from None


# What decides no number: where a run computes and is kept. Paths and modules are replaced by fingerprints of what they
# hold.
CIRCUMSTANCES = (
    *("engine", "device", "runs", "force", "tracking", "import"),
    *("data.root", "data.workers", "data.cache", "init.checkpoint"),
)


def scientific(config: Run, fingerprints: dict[str, str]) -> dict[str, Any]:
    """The part of a config that decides its numbers.

    Args:
        config: the run.
        fingerprints: for paths and modules of one's own, a digest of the contents.
    Returns: Plain nested values, to be hashed into the run's identity.
    """
    values = config.plain()
    for key in (*CIRCUMSTANCES, *config.LATER):
        section, _, last = key.rpartition(".")
        inside = values[section] if section else values
        if key in CIRCUMSTANCES or inside.get(last) == config.LATER[key]:
            inside.pop(last, None)
    return {**values, "fingerprints": fingerprints, "edition": EDITION}
