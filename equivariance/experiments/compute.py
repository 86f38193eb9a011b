"""A run of any experiment: its device, its result checked; and what runs to come will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from equivariance import memory, parallel
from equivariance.config import Run
from equivariance.errors import UserError
from equivariance.experiments.result import Result
from equivariance.train import Report, unheard
from sweeps.experiments import EXPERIMENTS
from sweeps.registry import resolved


def run(config: Run, report: Report = unheard) -> Result:
    """Computes one run on its device, deterministically for a given seed.

    Args:
        config: validated.
        report: told each epoch's row.
    Raises: UserError: the device is not there, or what the experiment cannot have. NotFinite: features, loss, a metric
        or a weight is not.
    """
    memory.keep()
    device = parallel.own(pick_device(config.device))
    torch.set_deterministic_debug_mode("warn")  # the other call imports the compiler, for seconds
    result = resolved(EXPERIMENTS.get(config.experiment.name).run)(config, device, report)
    if not isinstance(result, Result):
        raise UserError(f"experiment={config.experiment.name}: gives {type(result).__name__}; allowed: a Result")
    result.check()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    shared = {"processes": str(parallel.count())} if parallel.count() > 1 else {}
    return replace(result, notes={"device": name, **shared, **result.notes})


def outlook(configs: Sequence[Run]) -> tuple[int, float]:
    """What runs that are not finished will cost.

    Args:
        configs: the runs.
    Returns: How many of them need no computing, and about how many seconds the others take; those of experiments that
        cannot tell count as nothing.
    """
    memory.keep()  # as the runs will
    free, seconds = 0, 0.0
    for name in dict.fromkeys(config.experiment.name for config in configs):
        told = resolved(EXPERIMENTS.get(name).outlook)
        if told:
            some = [config for config in configs if config.experiment.name == name]
            certified, time = told(some, pick_device(some[0].device))
            free, seconds = free + certified, seconds + time
    return free, seconds


def pick_device(wish: str) -> torch.device:
    """`auto` is a GPU where there is one; any other name must exist."""
    there = torch.cuda.device_count()
    if wish == "auto":
        return torch.device("cuda" if there else "cpu")
    device = torch.device(wish)
    if device.type == "cuda" and (device.index or 0) >= there:
        raise UserError(f"device={wish}: {there} GPUs here; allowed: auto, cpu" + ", cuda" * (there > 0))
    return device
