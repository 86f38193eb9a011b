"""How long runs will take, from a short measurement before the first one starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from equivariance.data.quadrant import Quadrant
from equivariance.experiments.engine import as_input, choose
from equivariance.experiments.quadrant import certified, network, place
from equivariance.models import Classifier

if TYPE_CHECKING:
    from equivariance.config import QuadrantConfig as Config

# A training step costs about this many forward passes.
STEP = 3.5
# Pictures of the measurement.
PICTURES = 2
SPLITS = 3


def seconds(configs: list[Config], device: torch.device) -> float:
    """About how long runs take one after another on this device.

    For each network and convolution type one forward pass is measured, at the largest border to come that is not
    certified; smaller borders are counted alike, so this is rather too long than too short. Frozen runs that share
    their features are counted once, and scratch runs by all their epochs.

    Args:
        configs: quadrant runs that are not finished.
        device: where they will be computed.
    Returns: seconds, 0 for certified runs.
    """
    costly = [c for c in configs if not certified(c)]
    largest: dict[tuple[str, str], Config] = {}
    for config in costly:
        key = (config.arch.name, config.conv.name)
        if key not in largest or config.border > largest[key].border:
            largest[key] = config
    each = {key: _forward(config, device) for key, config in largest.items()}
    passes = {_features(c): _passes(c) * each[c.arch.name, c.conv.name] for c in costly}
    return sum(passes.values())


def _features(config: Config) -> str:
    """Equal for frozen runs that compute the same features."""
    seed = 0 if config.init.name == "frozen-pretrained" and config.init.batchnorm == "frozen" else config.seed
    kept = {"optim"} if config.init.name != "scratch" and config.init.batchnorm == "frozen" else set()
    return config.model_copy(update={"seed": seed}).model_dump_json(exclude=kept | {"force", "tracking"})


def _passes(config: Config) -> float:
    """Forward passes of one picture at both places that a run costs."""
    if config.init.name != "scratch" and config.init.batchnorm == "frozen":
        return SPLITS * config.data.pictures
    assert config.optim.name == "sgd"
    return config.optim.epochs * (STEP + 1) * config.data.pictures


def _forward(config: Config, device: torch.device) -> float:
    """Seconds of one forward pass of a picture at both places."""
    # Weights do not change the time: random ones need no download.
    free = config.init.model_copy(update={"name": "frozen-random", "checkpoint": None})
    model = network(config.model_copy(update={"init": free}), device).eval()
    task = place(config)
    return _measured(model, task, choose(config.engine, model, task), device)


def _measured(model: Classifier, task: Quadrant, engine: str, device: torch.device) -> float:
    pictures = torch.zeros(PICTURES, 3, task.picture, task.picture, device=device)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(2):  # the first one warms up
            start = time.perf_counter()
            model.features(as_input(task.both(pictures), engine)).sum().item()
            best = min(best, time.perf_counter() - start)
    return best / PICTURES
