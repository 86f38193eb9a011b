"""What follows from a run's network and videos alone: its control, and what no weights can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from equivariance import theory
from equivariance.config.clips import Moving
from equivariance.data.quadrant import Quadrant
from equivariance.experiments import controls
from equivariance.experiments.controls import Matched
from equivariance.models import FeatureMap
from equivariance.models.video import hollow_video

if TYPE_CHECKING:
    from equivariance.config.video import VideoArch
    from equivariance.experiments.action.config import ActionRun


def matched(config: ActionRun) -> Matched:
    """What a run's control changes."""
    data, in_time = config.data, config.conv.axes == "space+time"
    full = config.conv.model_copy(update={"name": "full"}).rule  # with the same pools

    def made(width: int | None, conv: str) -> FeatureMap:
        return hollow(config, network(config, width), conv)

    image = (data.length, data.side, data.side)
    return controls.matched(config.experiment.control, made, image, (in_time, True, True), full)


def network(config: ActionRun, width: int | None) -> VideoArch:
    """A run's network; None: as wide as it is."""
    return config.arch if width is None else config.arch.model_copy(update={"width": width})


def hollow(config: ActionRun, arch: VideoArch, conv: str) -> FeatureMap:
    """A network of a run without weights, in eval mode."""
    return hollow_video(arch, conv, config.conv.axes, config.protocol == "released").eval()


def certified(config: ActionRun) -> bool:
    """Whether no weights tell an event early from the same event late: of those alone that are asked for it.

    Each event of a split is early in one video and late in another, so that accuracy is 50 % then.
    """
    data, conv = config.data, config.conv
    if not isinstance(data, Moving) or data.event != "class":
        return False
    edgeless = (conv.name, conv.axes) == ("unbounded", "space+time")
    rule = "full" if conv.name == "unbounded" else conv.rule
    # Along time as early and late pictures lie along rows.
    event = Quadrant(data.frames, 2 * data.frames, data.border, ())
    return theory.certified_in_time(hollow(config, config.arch, rule), event, data.side, edgeless)


def outlook(configs: Sequence[ActionRun], device: torch.device) -> tuple[int, float]:
    """How many of some runs are certified; how long the others take is not known."""
    return sum(map(certified, configs)), 0.0
