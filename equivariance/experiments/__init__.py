"""One module an experiment, each with run(config, device, report) -> Result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from equivariance import memory
from equivariance.errors import UserError
from equivariance.experiments import impulse, leak_distance, quadrant, red_green, rook
from equivariance.experiments.result import Result
from equivariance.train import Report, unheard

if TYPE_CHECKING:
    from equivariance.config import Config

# Each takes the config of its own kind (equivariance/config_kinds.py).
EXPERIMENTS: dict[str, Callable[[Any, torch.device, Report], Result]] = {
    "quadrant": quadrant.run,
    "leak_distance": leak_distance.run,
    "impulse": impulse.run,
    "rook": rook.run,
    "red_green": red_green.run,
}


def run(config: Config, report: Report = unheard) -> Result:
    """Computes one run on its device, deterministically for a given seed.

    Args:
        config: validated.
        report: told each epoch's row.
    Raises: UserError: the device is not there, or what the experiment cannot have. NotFinite: features, loss, a metric
        or a weight is not.
    """
    memory.keep()
    device = pick_device(config.device)
    torch.set_deterministic_debug_mode("warn")  # the other call imports the compiler, for seconds
    result = EXPERIMENTS[config.experiment.name](config, device, report)
    result.check()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return replace(result, notes={"device": name, **result.notes})


def outlook(configs: list[Config]) -> tuple[int, float]:
    """What runs that are not finished will cost.

    Args:
        configs: the runs.
    Returns: How many of them are certified and need no computing, and about how many seconds the others take.
    """
    from equivariance.config import LocationConfig
    from equivariance.config_kinds import LeakDistanceConfig
    from equivariance.experiments.estimate import seconds
    from equivariance.experiments.structure import certified

    memory.keep()  # as the runs will
    known = [c for c in configs if isinstance(c, LocationConfig)]
    tried = [leak_distance.expected(c) if isinstance(c, LeakDistanceConfig) else [c] for c in known]
    costly = [[c for c in borders if not certified(c)] for borders in tried]
    time = seconds([c for borders in costly for c in borders], pick_device(known[0].device)) if known else 0.0
    return sum(not borders for borders in costly), time


def pick_device(wish: str) -> torch.device:
    """`auto` is a GPU where there is one; any other name must exist."""
    there = torch.cuda.device_count()
    if wish == "auto":
        return torch.device("cuda" if there else "cpu")
    device = torch.device(wish)
    if device.type == "cuda" and (device.index or 0) >= there:
        raise UserError(f"device={wish}: {there} GPUs here; allowed: auto, cpu" + ", cuda" * (there > 0))
    return device
