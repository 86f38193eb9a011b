"""A network learns on collages which photograph each pixel is of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.data.photos import PHOTOS
from equivariance.errors import UserError
from equivariance.experiments.seams.collage import CROPS, Collages
from equivariance.experiments.seams.config import Adam, Collage
from equivariance.stopping import Fixed
from equivariance.train import Examples, Recipe, Report, Row, evaluate, fit, shuffled

MEAN, STD = 0.45, 0.25  # of pixels in [0, 1], about those of photographs
HELD_OUT = 4  # a validation collage for so many training ones


def picture(collages: Collages) -> tuple[Tensor, Tensor]:
    """One collage: pixels float32 [3, *sides] as networks take them, and labels int64 [*sides]."""
    pixels, labels = collages.draw()
    return (pixels - MEAN) / STD, labels


def learn(net: nn.Module, data: Collage, optim: Adam, axes: int, seed: int, report: Report) -> list[Row]:
    """Trains in place, with the weights of the last epoch.

    Args:
        net: maps pictures [N, 3, *sides] to class scores [N, C, *sides].
        data: how many collages, and of which size.
        optim: rate, batch and epochs.
        axes: of space, two or three.
        seed: of collages, beside the data's own, and of their order.
        report: told each epoch's row.
    Returns: A row an epoch.
    Raises: UserError: the network tells fewer classes than there are photographs, or not of each pixel.
    """
    generator = np.random.default_rng([data.seed, seed])
    sides = (min(data.train, data.depth),) * (axes - 2) + (data.train,) * 2
    device = next(net.parameters()).device
    train, validation = (
        _examples(Collages(generator, split, sides, CROPS), count, device)
        for split, count in (("train", data.pictures), ("validation", max(1, data.pictures // HELD_OUT)))
    )
    _refuse_other_maps(net, validation)
    optimiser = torch.optim.Adam(net.parameters(), optim.lr)
    order = shuffled(data.pictures, seed)
    recipe = Recipe(optimiser, Fixed(), optim.epochs, optim.batch, order, net.train)
    return fit(net, train, validation, recipe, report)


def accuracy(net: nn.Module, image: Tensor, labels: Tensor) -> float:
    """Share of the pixels of one picture that are told right."""
    device = next(net.parameters()).device
    return evaluate(net, Examples(labels[None].to(device), lambda _: image[None].to(device)), 1).accuracy


def _examples(collages: Collages, count: int, device: torch.device) -> Examples:
    drawn = [picture(collages) for _ in range(count)]
    pixels, labels = (torch.stack(each).to(device) for each in zip(*drawn, strict=True))
    return Examples(labels, pixels.__getitem__)


def _refuse_other_maps(net: nn.Module, examples: Examples) -> None:
    net.eval()
    with torch.inference_mode():
        channels, *sides = net(examples.inputs(torch.arange(1)))[0].shape
    wanted = list(examples.labels.shape[1:])
    if channels < len(PHOTOS) or sides != wanted:
        raise UserError(
            f"optim=adam: the network gives a map {[channels, *sides]} of a picture {wanted};"
            f" allowed: {len(PHOTOS)} channels or more and the picture's sides, or optim=none"
        )
