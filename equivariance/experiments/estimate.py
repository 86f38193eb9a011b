"""How long runs will take, from a short measurement before the first one starts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from equivariance.experiments.engine import choose, forward_seconds
from equivariance.experiments.quadrant import network
from equivariance.experiments.structure import place

if TYPE_CHECKING:
    import torch

    from equivariance.config import LocationConfig as Config

log = logging.getLogger(__name__)
# A training step costs about this many forward passes.
STEP = 3.5
SPLITS = 3


def seconds(configs: list[Config], device: torch.device) -> float:
    """About how long runs take one after another on this device.

    For each network and convolution type a forward pass is measured at the smallest and at the largest border to come;
    borders between are interpolated by area. Frozen runs that share their features are counted once, and scratch runs
    by all their epochs, so this is rather too long than too short. Runs that cannot be measured count
    as nothing.

    Args:
        configs: runs at one border each, neither finished nor certified.
        device: where they will be computed.
    Returns: seconds.
    """
    alike: dict[tuple[str, str], list[Config]] = {}
    for config in configs:
        alike.setdefault((config.arch.name, config.conv.rule), []).append(config)
    passes: dict[str, float] = {}
    for group in alike.values():
        try:
            forward = _by_border(group, device)
        except Exception:  # what is wrong with these runs is said when they run; the others' time is still known
            log.debug("no estimate for %s", group[0].arch.name, exc_info=True)
            continue
        passes |= {_features(c): _passes(c) * forward(c.border) for c in group}
    return sum(passes.values())


def _by_border(configs: list[Config], device: torch.device) -> Callable[[int], float]:
    """Seconds of a forward pass of one picture at both places, by border."""
    ends = [chosen(configs, key=lambda c: c.border) for chosen in (min, max)]
    low, high = (place(c).side ** 2 for c in ends)
    times = [_forward(c, device) for c in (ends if low < high else ends[:1])]

    def seconds_at(border: int) -> float:
        share = ((ends[0].experiment.canvas + 2 * border) ** 2 - low) / max(high - low, 1)
        return times[0] + min(share, 1.0) * (times[-1] - times[0])

    return seconds_at


def _features(config: Config) -> str:
    """Equal for frozen runs that compute the same features."""
    seed = 0 if config.init.name == "frozen-pretrained" and config.init.fixed else config.seed
    kept = {"optim"} if config.init.fixed else set()
    return config.model_copy(update={"seed": seed}).model_dump_json(exclude=kept | {"force", "tracking"})


def _passes(config: Config) -> float:
    """Forward passes of one picture at both places that a run costs."""
    training = 2 if config.data.augment == "flip" else 1
    if config.init.fixed:
        return (SPLITS - 1 + training) * config.data.pictures
    assert config.optim.name == "sgd"
    return config.optim.epochs * (STEP * training + 1) * config.data.pictures


def _forward(config: Config, device: torch.device) -> float:
    """Seconds of one forward pass of a picture at both places."""
    # Weights do not change the time: random ones need no download.
    free = config.init.model_copy(update={"name": "frozen-random", "checkpoint": None})
    model = network(config.model_copy(update={"init": free}), device).eval()
    task = place(config)
    engine = choose(config.engine, model, task)
    return min(forward_seconds(model, task, engine) for _ in range(2))  # the first one warms up
