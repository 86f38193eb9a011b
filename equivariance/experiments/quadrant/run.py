"""A run of the quadrant experiment: whether a network can tell where a picture lies at one border.

Source: Kayhan & van Gemert 2020, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from equivariance.decoding import digits
from equivariance.experiments.location.estimate import seconds
from equivariance.experiments.location.learning import learn, load, network
from equivariance.experiments.location.structure import place, structure
from equivariance.experiments.result import Result
from equivariance.models import check_checkpoint
from equivariance.train import Report, evaluate, unheard

if TYPE_CHECKING:
    from equivariance.experiments.quadrant.config import QuadrantRun


def run(config: QuadrantRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a two-class network, or a head on frozen features, and tests it on unseen pictures.

    Where no unit can see picture and edge at once, the accuracy is proved and nothing is computed.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: Test accuracy, loss and margin, and a history row an epoch; a certified run has its accuracy alone.
        `accuracy_validation` is that of the validation split, by which a search may choose without having seen the
        test. `gmacs` is what an image costs a plain dense forward pass, in 10⁹ multiply-adds, whatever engine ran; it
        is absent where a network decides by numbers what it computes.
    Raises: UserError: pictures or weights that cannot be had, also where they would not be needed. NotFinite: the run
        shows nothing.
    """
    task, theory = place(config), structure(config)
    gmacs = theory.gmacs(task)
    known = {"n": 2.0 * config.data.pictures} | ({} if gmacs is None else {"gmacs": gmacs})
    if theory.certified(task):
        check_checkpoint(config.arch, config.init)
        return Result({"accuracy": 0.5, "accuracy_validation": 0.5, **known}, [], {}, {"certified": "yes"})
    pictures, notes = load(config, device)
    fitted = learn(config, task, network(config, task, device, pictures["train"]), pictures, report)
    trained, batch = fitted.trained, config.optim.batch if config.optim.name == "sgd" else 1024
    test, validation = (evaluate(trained, fitted.examples[split], batch) for split in ("test", "validation"))
    metrics = {"accuracy": test.accuracy, "loss": test.loss, "margin": test.margin}
    return Result(
        metrics={**metrics, "accuracy_validation": validation.accuracy, **known},
        history=fitted.history,
        weights={name: tensor.detach().cpu() for name, tensor in trained.state_dict().items()},
        notes={"engine": fitted.engine, **notes},
        right={"accuracy": digits(test.right.chunk(2))},
    )


def outlook(configs: Sequence[QuadrantRun], device: torch.device) -> tuple[int, float]:
    """How many of some runs are certified, and about how many seconds the others take."""
    costly = [c for c in configs if not structure(c).certified(place(c))]
    return len(configs) - len(costly), seconds(costly, device)
