"""Patches of 3-D points, the triplets that are trained on and the pairs that are tested on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from equivariance.errors import UserError

SIDE = 64  # pixels a side of a patch as published; networks get half


@dataclass(frozen=True)
class Patches:
    """Patches, several of each point.

    Args:
        pixels: uint8 [n, 32, 32], grey.
        points: int64 [n], which point a patch shows.
    """

    pixels: np.ndarray
    points: np.ndarray

    def __add__(self, other: Patches) -> Patches:
        """Both, whose points are different ones."""
        fresh = other.points + (self.points.max() + 1 if len(self.points) else 0)
        return Patches(np.concatenate([self.pixels, other.pixels]), np.concatenate([self.points, fresh]))


@dataclass(frozen=True)
class PairSet:
    """What is tested on.

    Args:
        patches: their patches.
        pairs: int64 [pairs, 2], indices of patches; they match where both show one point.
    """

    patches: Patches
    pairs: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """The points of each pair, int64 [pairs, 2]."""
        return self.patches.points[self.pairs]


@dataclass(frozen=True)
class Sets:
    """What is trained on, and by name what is tested on."""

    train: Patches
    tests: dict[str, PairSet]


def halved(pixels: np.ndarray) -> np.ndarray:
    """Means of 2×2 pixels, rounded: uint8 [n, 2s, 2s] to [n, s, s]."""
    n, side = len(pixels), pixels.shape[-1] // 2
    blocks = pixels.reshape(n, side, 2, side, 2).astype(np.uint16)
    return ((blocks.sum((2, 4)) + 2) // 4).astype(np.uint8)


def triplets(patches: Patches, count: int, batch: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of patches of one point, no pair twice; in a batch each is of another point, so that others do not match.

    More triplets of one seed begin with the fewer ones.

    Args:
        patches: to draw from.
        count: triplets; their third patch is another's in the batch.
        batch: of so many in a row the points are different.
        seed: of the choice.
    Returns: int64 [count, 2] anchors and positives; and int64 [batch, 2], the same of points that are not among these.
    Raises: UserError: the data have fewer.
    """
    random = np.random.default_rng(seed)
    members = _members(patches.points)
    names = random.permutation([point for point, own in enumerate(members) if len(own) > 1])
    left = {int(point): Pairings(members[point], random) for point in names}
    free = names[batch:]
    found: list[tuple[int, int]] = []
    aside = [left[int(point)].take() for point in names[:batch]]
    while len(found) < count:
        if len(free) < batch:
            raise UserError(
                f"experiment.triplets={count}: the data have {len(found)} pairs of patches in batches of {batch}"
                f" different points; allowed: {f'up to {len(found)}' if found else 'a smaller optim.batch'}"
            )
        chosen = random.choice(free, batch, replace=False)
        found += [left[int(point)].take() for point in chosen]
        free = free[~np.isin(free, [point for point in chosen if not left[int(point)].remaining])]
    return np.array(found[:count]), np.array(aside)


def pairs(patches: Patches, count: int, seed: int) -> np.ndarray:
    """Pairs to test on: half of one point, no pair twice; half of two points.

    Args:
        patches: to draw from.
        count: of pairs, even.
        seed: of the choice.
    Returns: int64 [count, 2], indices of patches.
    Raises: UserError: the data have fewer.
    """
    random = np.random.default_rng(seed)
    members = [own for own in _members(patches.points) if len(own) > 1]
    most = sum(len(own) * (len(own) - 1) // 2 for own in members)
    if count > 2 * most or len(members) < 2:
        raise UserError(f"data.pairs={count}: the test points have {most} matching pairs; allowed: up to {2 * most}")
    left = [Pairings(own, random) for own in members]
    found: list[tuple[int, int]] = []
    while len(found) < count // 2:  # each point once, then each again: as many points as can be
        found += [left[point].take() for point in random.permutation(len(left)) if left[point].remaining]
    matching = np.array(found[: count // 2])
    return np.concatenate([matching, _strangers(patches.points, matching, random)])


def _strangers(points: np.ndarray, matching: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As many pairs of two points, of patches that matching pairs have: each costs a pass through the network."""
    used, found = np.unique(matching), np.empty((0, 2), np.int64)
    while len(found) < len(matching):
        some = random.choice(used, (len(matching), 2))
        found = np.concatenate([found, some[points[some[:, 0]] != points[some[:, 1]]]])
    return found[: len(matching)]


class Pairings:
    """The pairs of a point's patches in random order, each in random order itself, drawn when they are asked for.

    Attributes:
        remaining: pairs that have not been taken.
    """

    def __init__(self, members: np.ndarray, random: np.random.Generator) -> None:
        self.members, self.random = members, random
        self.remaining = len(members) * (len(members) - 1) // 2
        self.order: list[np.ndarray] | None = None

    def take(self) -> tuple[int, int]:
        """The next one: indices of two patches."""
        if self.order is None:
            self.order = list(self.random.permutation(list(combinations(self.members, 2))))
        self.remaining -= 1
        one, other = self.order.pop()
        return (int(one), int(other)) if self.random.random() < 0.5 else (int(other), int(one))


def _members(points: np.ndarray) -> list[np.ndarray]:
    """The patches of each point."""
    order = np.argsort(points, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(points[order])) + 1)
