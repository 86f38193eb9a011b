"""Which pictures are trained on: some of each class, those of a smaller number among those of a larger one."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from equivariance.data.labelled import Labelled
from equivariance.errors import UserError


def subset(split: Labelled, per_class: int | None, seed: int) -> Tensor:
    """The pictures of a random subset, which depends on the split and the seed alone, not on what is trained.

    Args:
        split: to choose from.
        per_class: of each class; None: all of them.
        seed: of the choice.
    Returns: int64 [n], indices in ascending order.
    Raises: UserError: a class has fewer; says which.
    """
    if per_class is None:
        return torch.arange(len(split))
    order = torch.from_numpy(np.random.default_rng([seed, 0]).permutation(len(split)))
    members = [order[split.labels[order] == number] for number in range(len(split.classes))]
    fewest = min(range(len(members)), key=lambda number: len(members[number]))
    if len(members[fewest]) < per_class:
        there = len(members[fewest])
        raise UserError(
            f"data.per_class={per_class}: class {split.classes[fewest]} has {there} of the {len(split)} training"
            f" pictures; allowed: {f'up to {there}' if there else 'null'}, or a larger data.train"
        )
    return torch.cat([own[:per_class] for own in members]).sort().values


def places(count: int, room: int, placement: str, seed: int) -> Tensor:
    """By how much each picture lies off the middle of the canvas, the same for whatever subset it is in.

    Args:
        count: pictures of the split.
        room: pixels that the canvas is larger than they are, along each axis.
        placement: `centred` or `random`: all places that hold the whole picture are equally likely.
        seed: of the places.
    Returns: int64 [count, 2], rows and columns.
    """
    if placement == "centred":
        return torch.zeros(count, 2, dtype=torch.int64)
    corners = np.random.default_rng([seed, 1]).integers(0, room + 1, (count, 2))
    return torch.from_numpy(corners) - room // 2


def digest(names: list[str]) -> str:
    """Of the names of pictures, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
