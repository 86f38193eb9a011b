"""A run's network and image under its control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.config import Arch
from equivariance.experiments import controls
from equivariance.experiments.controls import Matched
from equivariance.models import FeatureMap, hollow

if TYPE_CHECKING:
    from equivariance.experiments.data_efficiency.config import DataEfficiencyRun


class Wider(Arch):
    """A network with a width of its own."""

    library: str  # type: ignore[assignment]
    kwargs: dict[str, Any]  # of its builder
    features: str | None = None


def matched(config: DataEfficiencyRun) -> Matched:
    """What a run's control changes."""
    full = "full, pools inside" if config.protocol == "released" else "full"
    image = (config.experiment.canvas,) * 2

    def made(width: int | None, conv: str) -> FeatureMap:
        return hollow(network(config, width), conv)

    return controls.matched(config.experiment.control, made, image, (True, True), full)


def network(config: DataEfficiencyRun, width: int | None) -> Arch:
    """A run's network; None: as wide as it is."""
    if width is None:
        return config.arch
    fixed = config.arch.model_dump()
    own = fixed.pop("kwargs", None) or {}
    return Wider(**{**fixed, "kwargs": {**own, str(config.widening): width}})
