"""How long is trained: for so many epochs, as published, or for so many updates, whatever the number of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from equivariance.recipes import refuse_alone, scheduled
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
    recipe, batch = scheduled(model, count, optim, seed, device, best), min(optim.batch, count)
    image = torch.zeros(1, 3, side, side, device=device)
    if updates is None:
        refuse_alone(model, {batch, count % batch or batch}, optim, image)
        return recipe
    refuse_alone(model, {batch}, optim, image)
    drawn, shares = _batches(count, batch, seed), iter(_shares(updates, optim.epochs))
    return replace(recipe, batch=batch, order=lambda: torch.cat(list(islice(drawn, next(shares)))))


def _batches(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Whole batches without end; what is left of a pass is left out, another part of it each time."""
    order = shuffled(count, seed)
    while True:
        yield from order()[: count // batch * batch].split(batch)


def _shares(updates: int, epochs: int) -> list[int]:
    """The updates of each epoch, as alike as can be."""
    ends = [updates * done // epochs for done in range(epochs + 1)]
    return [end - start for start, end in pairwise(ends)]
