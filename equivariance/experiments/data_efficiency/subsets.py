"""Which pictures are trained on: some of each class, those of a smaller number among those of a larger one."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from equivariance.data.labelled import Labelled
from equivariance.data.splits import SPLITS
from equivariance.errors import UserError


def subset(split: Labelled, per_class: int | None, seed: int) -> Tensor:
    """The pictures of a random subset, which depends on the split and the seed alone, not on what is trained.

    Of pictures that were not looked at yet only those wanted are, and for each with a flaw the next of its class; flaws
    are added to the split's `skipped`.

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
    members = [order[split.labels[order] == number].tolist() for number in range(len(split.classes))]
    _enough(split, list(map(len, members)), per_class)
    kept: list[list[int]] = [[] for _ in members]
    wanted = [per_class] * len(members)
    while any(wanted):
        asked = [number for own, want in zip(members, wanted, strict=True) for number in own[:want]]
        members = [own[want:] for own, want in zip(members, wanted, strict=True)]
        for number, flaw in zip(asked, split.flaws(asked), strict=True):
            if flaw:
                split.skipped.append(flaw)
            else:
                kept[int(split.labels[number])].append(number)
        wanted = [per_class - len(own) for own in kept]
        _enough(split, [len(own) + len(rest) for own, rest in zip(kept, members, strict=True)], per_class)
    return torch.tensor([number for own in kept for number in own]).sort().values


def _enough(split: Labelled, there: list[int], per_class: int) -> None:
    """Refuses a split of which a class has fewer pictures that are there."""
    fewest = min(range(len(there)), key=there.__getitem__)
    if there[fewest] < per_class:
        up_to = f"up to {there[fewest]}" if there[fewest] else "null"
        bad = f", {len(split.skipped)} skipped" if split.skipped else ""
        raise UserError(
            f"data.per_class={per_class}: class {split.classes[fewest]} has {there[fewest]} of the {len(split)}"
            f" training pictures{bad}; allowed: {up_to}, or a larger data.train"
        )


def places(split: str, count: int, room: int, placement: str, seed: int) -> Tensor:
    """By how much each picture lies off the middle of the canvas, the same for whatever subset it is in.

    Splits have places of their own, whatever their seeds: were the same number at the same place in two of them, places
    would tell what classes in a fixed order are.

    Args:
        split: which of SPLITS.
        count: of its pictures.
        room: pixels that the canvas is larger than they are, along each axis.
        placement: `centred` or `random`: all places that hold the whole picture are equally likely.
        seed: of the places.
    Returns: int64 [count, 2], rows and columns.
    """
    if placement == "centred":
        return torch.zeros(count, 2, dtype=torch.int64)
    # Four numbers, the last not 0: no stream of augmentation, of seed, epoch and picture, is the same.
    corners = np.random.default_rng([seed, SPLITS.index(split), 0, 1]).integers(0, room + 1, (count, 2))
    return torch.from_numpy(corners) - room // 2


def digest(names: list[str]) -> str:
    """Of the names of pictures, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
