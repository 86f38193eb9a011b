"""The rook dilemma: one filter, ReLU and global max pooling tell the upper left from the bottom right.

Source: Kayhan & van Gemert 2020, section 3.1, figure 1.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.experiments.controlled.network import controlled
from equivariance.experiments.result import Result
from equivariance.experiments.rook.images import images
from equivariance.experiments.rook.network import rook
from equivariance.models import Classifier
from equivariance.models.patches import OncePerPatch, patches
from equivariance.stopping import Fixed
from equivariance.train import Examples, Recipe, Report, Row, Score, evaluate, fit, unheard

if TYPE_CHECKING:
    from equivariance.experiments.rook.config import PlainSgd, RookRun

# Filter and maps are kept of every epoch up to the first number, then of every second-number'th.
KEPT_ALL, KEPT_EVERY = 40, 10


def run(config: RookRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains on both images, in turn, and tests on both.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: accuracy, loss and margin on both images after training, a history row an epoch, and in `training.npz`
        the filter and both feature maps as training went on: epoch [e], filter [e, k, k], maps [e, 2, rows, columns].
    """
    classifier = controlled(partial(rook, config.experiment.kernel), config.conv.name, config.seed).to(device)
    pixels = images(config.data.side).to(device)
    dense = config.engine == "dense"
    model: nn.Module = classifier if dense else OncePerPatch(classifier)
    inputs = pixels.__getitem__ if dense else patches(pixels, classifier).of
    film = Film(classifier, pixels)
    examples = Examples(torch.arange(2, device=device), inputs)
    history = _fit(model, examples, config.optim, film, report)
    test = evaluate(model, examples, 2)
    return Result(
        {"accuracy": test.accuracy, "loss": test.loss, "margin": test.margin, "n": 2.0},
        history,
        {name: tensor.detach().cpu() for name, tensor in classifier.state_dict().items()},
        {"engine": "dense" if dense else "once per patch"},
        {"training.npz": film.developed()},
    )


class Film:
    """The filter and what it makes of the images, epoch by epoch.

    Args:
        classifier: with one filter.
        pixels: float [2, 1, side, side].
    """

    def __init__(self, classifier: Classifier, pixels: Tensor) -> None:
        self.classifier, self.pixels = classifier, pixels
        self.epochs: list[int] = []
        self.filters: list[np.ndarray] = []
        self.maps: list[np.ndarray] = []

    def expose(self, epoch: int) -> None:
        """Takes a picture, if this epoch is one to keep."""
        if epoch > KEPT_ALL and epoch % KEPT_EVERY:
            return
        with torch.no_grad():
            found = self.classifier.feature_map(self.pixels)[:, 0]
        filters = next(self.classifier.trunk.parameters()).detach()[0, 0]
        self.epochs.append(epoch)
        self.filters.append(filters.cpu().numpy().astype(np.float32))
        self.maps.append(found.cpu().numpy().astype(np.float16))  # for the eye; halves are fine enough

    def developed(self) -> bytes:
        """All pictures as an .npz file."""
        file = io.BytesIO()
        np.savez_compressed(file, epoch=np.array(self.epochs), filter=np.stack(self.filters), maps=np.stack(self.maps))
        return file.getvalue()


def _fit(model: nn.Module, examples: Examples, optim: PlainSgd, film: Film, report: Report) -> list[Row]:
    """Trains in place, in the order of the classes; a row an epoch scores the model after it."""

    def row(epoch: int, lr: float, trained: Score, after: Score) -> Row:
        film.expose(epoch)
        found = {"epoch": float(epoch), "train_loss": trained.loss, "train_accuracy": trained.accuracy}
        return found | {"test_loss": after.loss, "test_accuracy": after.accuracy, "test_margin": after.margin}

    film.expose(0)
    optimiser = torch.optim.SGD(model.parameters(), lr=optim.lr, momentum=optim.momentum)
    order = partial(torch.arange, len(examples))
    recipe = Recipe(optimiser, Fixed(), optim.epochs, optim.batch, order, model.train)
    return fit(model, examples, examples, recipe, report, row)
