"""An experiment of one's own: by how much pooled features change when the picture moves to the other place."""

from typing import Any, Literal

import torch

from equivariance.experiments import Experiment, Result, register
from equivariance.experiments.location.config import Location, LocationRun
from equivariance.experiments.location.learning import load, network
from equivariance.experiments.location.structure import place


class Wobble(Location):
    """The settings of the quadrant experiment, under another name."""

    name: Literal["wobble"]


class WobbleRun(LocationRun):
    """One run."""

    experiment: Wobble


def run(config: WobbleRun, device: torch.device, report: Any) -> Result:
    """Returns `change`: the norm of the features' difference over that of the features, mean over test pictures."""
    task = place(config)
    pictures, notes = load(config, device)
    model = network(config, task, device, pictures["train"]).eval()
    with torch.inference_mode():
        here, there = model.features(task.both(pictures["test"])).chunk(2)
    change = (there - here).norm(dim=1) / here.norm(dim=1)
    return Result({"change": change.mean().item(), "n": float(len(change))}, [], {}, notes)


register(Experiment("wobble", WobbleRun, run, metrics=("change",)))
