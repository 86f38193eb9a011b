"""How long is trained: for so many epochs, as published, or for so many updates, whatever the number of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivariance.errors import UserError
from equivariance.recipes import scheduled
from equivariance.train import Recipe, shuffled

if TYPE_CHECKING:
    from equivariance.config.training import Scheduled


def lasting(
    model: nn.Module, count: int, optim: Scheduled, seed: int, device: torch.device, side: int, best: bool = False
) -> Recipe:
    """The recipe of `recipes.scheduled`; with `updates` an epoch is no pass over the pictures but a share of these.

    There are then as many epochs, so many updates and the same rates at the same updates whatever the number of
    pictures, and all batches are whole: of all pictures where there are fewer.

    Args:
        model: on its device; its `feature_map` gives what is pooled.
        count: training pictures.
        optim: with `updates`, or without.
        seed: of the order.
        device: where it is trained.
        side: pixels a side of an image.
        best: see `recipes.scheduled`.
    Raises: UserError: mixed precision on a CPU; a batch of one picture whose map is one entry.
    """
    updates: int | None = optim.updates  # type: ignore[attr-defined]
    recipe = scheduled(model, count, optim, seed, device, best)
    sizes = {min(optim.batch, count), count % optim.batch or optim.batch}
    if updates is not None:
        batch = min(optim.batch, count)
        drawn, shares, sizes = _batches(count, batch, seed), iter(_shares(updates, optim.epochs)), {batch}
        recipe = replace(recipe, batch=batch, order=lambda: torch.cat(list(islice(drawn, next(shares)))))
    part = recipe.micro or recipe.batch
    if any(size % part == 1 or part == 1 for size in sizes) and not _trainable_alone(model, side):
        raise UserError(
            f"optim.batch={optim.batch}: of {count} training pictures one would be normalised alone, by a map of 1×1;"
            " allowed: a batch, and optim.micro_batch, that leave none or more"
        )
    return recipe


def _batches(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Whole batches without end; what is left of a pass is left out, another part of it each time."""
    order = shuffled(count, seed)
    while True:
        yield from order()[: count // batch * batch].split(batch)


def _shares(updates: int, epochs: int) -> list[int]:
    """The updates of each epoch, as alike as can be."""
    ends = [updates * done // epochs for done in range(epochs + 1)]
    return [end - start for start, end in pairwise(ends)]


def _trainable_alone(model: nn.Module, side: int) -> bool:
    """Whether batch normalisation, if there is any, has a variance of one picture: a map of more than one entry."""
    if not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return True
    image = torch.zeros(1, 3, side, side, device=next(model.parameters()).device)
    with torch.no_grad():
        return bool(model.eval().feature_map(image)[0, 0].numel() > 1)  # type: ignore[operator]
