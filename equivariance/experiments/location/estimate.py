"""How long runs will take, from a short measurement before the first one starts."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from equivariance.canvas import CanvasUnsupported
from equivariance.engine import choose, forward_seconds
from equivariance.errors import UserError
from equivariance.experiments.location.structure import place, sampled, structure
from equivariance.models import Classifier

if TYPE_CHECKING:
    from equivariance.experiments.location.config import LocationRun

log = logging.getLogger(__name__)
# A training step costs about this many forward passes.
STEP = 3.5
BORDERS = 8
# What keeps runs from being measured: it is not there, no canvas can stand for it, or it is too large for this GPU.
UNMEASURED = (UserError, CanvasUnsupported, torch.OutOfMemoryError)
SPLITS = 3


def seconds(configs: Sequence[LocationRun], device: torch.device) -> float:
    """About how long runs take one after another on this device.

    For each network and convolution type a forward pass is measured at `BORDERS` of the borders to come at most; those
    between are interpolated by area. Frozen runs that share their features are counted once, and scratch runs
    by all their epochs, so this is rather too long than too short. Runs that cannot be measured count
    as nothing.

    Args:
        configs: runs at one border each, neither finished nor certified.
        device: where they will be computed.
    Returns: seconds.
    """
    alike: dict[tuple[str, str, str], list[LocationRun]] = {}
    for config in configs:
        kind = (config.arch.name, config.conv.rule, str(sampled(config)))
        alike.setdefault(kind, []).append(config)
    passes: dict[str, float] = {}
    for group in alike.values():
        try:
            forward = _by_border(group, device)
        except UNMEASURED:  # what is wrong with these runs is said when they run; the others' time is still known
            log.debug("no estimate for %s", group[0].arch.name, exc_info=True)
            continue
        passes |= {_features(c): _passes(c) * forward(c.border) for c in group}
    return sum(passes.values())


def _by_border(configs: Sequence[LocationRun], device: torch.device) -> Callable[[int], float]:
    """Seconds of a forward pass of one picture at both places, by border."""
    by_border = {c.border: c for c in configs}
    borders = sorted(by_border)
    measured = sorted({borders[round(i)] for i in np.linspace(0, len(borders) - 1, BORDERS)})
    areas, times = zip(*((_area(by_border[b]), _forward(by_border[b], device)) for b in measured), strict=True)
    return lambda border: float(np.interp(_area(by_border[border]), areas, times))


def _area(config: LocationRun) -> int:
    return (config.experiment.canvas + 2 * config.border) ** 2


def _features(config: LocationRun) -> str:
    """Equal for frozen runs that compute the same features."""
    seed = 0 if config.init.name == "frozen-pretrained" and config.init.fixed else config.seed
    kept = {"optim"} if config.init.fixed else set()
    return config.model_copy(update={"seed": seed}).model_dump_json(exclude=kept | {"force", "tracking"})


def _passes(config: LocationRun) -> float:
    """Forward passes of one picture at both places that a run costs."""
    training = 2 if config.data.augment == "flip" else 1
    if config.init.fixed:
        return (SPLITS - 1 + training) * config.data.pictures
    assert config.optim.name == "sgd"
    return config.optim.epochs * (STEP * training + 1) * config.data.pictures


def _forward(config: LocationRun, device: torch.device) -> float:
    """Seconds of one forward pass of a picture at both places."""
    task = place(config)
    model = _weighted(structure(config).network.trunk, config, device)
    return forward_seconds(model, task, choose(config.engine, model, task))


def _weighted(trunk: nn.Module, config: LocationRun, device: torch.device) -> Classifier:
    """A network to be timed: weights do not change the time, so they need neither a download nor a good start."""
    body = copy.deepcopy(trunk).to_empty(device=device)
    for tensor in (*body.parameters(), *body.buffers()):
        tensor.data.fill_(0.01) if tensor.is_floating_point() else tensor.data.zero_()
    model = Classifier(body, config.conv.rule, "max", sampling=sampled(config)).to(device).eval()  # type: ignore[arg-type]
    model.feature_map.background = place(config).background
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
