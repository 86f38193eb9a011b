"""Red-Green: whether a network learns where the boxes are, or which of them is left.

Source: Kayhan & van Gemert 2020, section 3.2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance.data.splits import SPLITS
from equivariance.decoding import digits
from equivariance.experiments.controlled.network import controlled
from equivariance.experiments.red_green.ceiling import red_green_ceiling
from equivariance.experiments.red_green.images import SIDE, Boxes, deal, labels, paint
from equivariance.experiments.red_green.network import red_green
from equivariance.experiments.result import Result
from equivariance.models.patches import OncePerPatch, patches
from equivariance.stopping import Patience
from equivariance.train import Examples, Recipe, Report, evaluate, fit, shuffled, unheard

if TYPE_CHECKING:
    from equivariance.experiments.red_green.config import RedGreenRun

SWAPPED = 16  # rows: class 0 moved down and class 1 up by so much stand at each other's height
# Convolution types that do not see the boundary, and the period with which the image repeats for them.
INVARIANT = {"full": None, "unbounded": None, "circular": SIDE}


def run(config: RedGreenRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains on boxes whose height gives the class away, and tests at every height up to the other class's.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `shift_0`, `shift_1`, … accuracy with class 0 moved down and class 1 up by so many rows; `similar` and
        `dissimilar`, those at 0 and 16; accuracy, loss and margin are `similar`'s. `ceiling` is the best accuracy that
        any network of this shape can have on fresh images, for the types that do not see the boundary.
    """
    classifier = controlled(red_green, config.conv.name, config.seed).to(device)
    dense = config.engine == "dense"
    model: nn.Module = classifier if dense else OncePerPatch(classifier)

    def examples(images: list[Boxes], shift: int = 0) -> Examples:
        pixels = paint(images, shift).to(device)
        inputs = pixels.__getitem__ if dense else patches(pixels, classifier).of
        return Examples(labels(images).to(device), inputs)

    splits = deal(config.data)
    train, validation = (examples(splits[split]) for split in SPLITS[:2])
    history = fit(model, train, validation, _adadelta(model, len(train), config), report)
    scores = [
        evaluate(model, examples(splits["test"], shift), config.optim.batch)
        for shift in range(config.experiment.shifts + 1)
    ]
    similar = scores[0]
    metrics = {"accuracy": similar.accuracy, "loss": similar.loss, "margin": similar.margin, "n": float(similar.n)}
    metrics |= {"similar": similar.accuracy, "dissimilar": scores[SWAPPED].accuracy, "epochs": float(len(history))}
    metrics |= {f"shift_{shift}": score.accuracy for shift, score in enumerate(scores)}
    if config.conv.name in INVARIANT:
        metrics["ceiling"] = red_green_ceiling(period=INVARIANT[config.conv.name])
    weights = {name: tensor.detach().cpu() for name, tensor in classifier.state_dict().items()}
    right = {"similar": digits([similar.right]), "dissimilar": digits([scores[SWAPPED].right])}
    return Result(metrics, history, weights, {"engine": "dense" if dense else "once per patch"}, right=right)


def _adadelta(model: nn.Module, count: int, config: RedGreenRun) -> Recipe:
    """Adadelta until the validation loss stops falling. Source: the authors' released red_and_green.py."""
    optim = config.optim
    optimiser = torch.optim.Adadelta(
        model.parameters(), lr=optim.lr, rho=optim.rho, eps=optim.eps, weight_decay=optim.weight_decay
    )
    order = shuffled(count, config.seed) if optim.shuffle else partial(torch.arange, count)
    return Recipe(optimiser, Patience(model, optim.patience), optim.epochs, optim.batch, order, model.train)
