"""FPR95: the share of non-matching pairs taken for matches where 95 % of matches are found; and drawn anew over points.

Source: Winder & Brown 2007 for the measure. Pairs that share a 3-D point stand and fall together, so what is drawn anew
is points, never pairs: a matching pair counts as often as its point is drawn, a non-matching one as often as both are.
"""

from __future__ import annotations

import numpy as np

RECALL = (19, 20)  # 95 %, as a fraction: exact in whole numbers
DRAWS = 200


def fpr95(distances: np.ndarray, matching: np.ndarray, counts: np.ndarray | None = None) -> float:
    """The share of non-matching pairs no farther apart than the distance within which 95 % of the matching ones lie.

    Args:
        distances: float [pairs].
        matching: bool [pairs].
        counts: int64 [pairs], how often each pair counts; None: once.
    Returns: In [0, 1], lower is better; NaN without matching or non-matching pairs.
    """
    counts = np.ones(len(distances), np.int64) if counts is None else counts
    near = np.argsort(distances[matching], kind="stable")
    found = counts[matching][near].cumsum()
    wrong, total = counts[~matching], counts[~matching].sum()
    if not len(found) or not found[-1] or not total:
        return float("nan")
    last = np.searchsorted(found * RECALL[1], found[-1] * RECALL[0])
    threshold = distances[matching][near][last]
    return float(wrong[distances[~matching] <= threshold].sum() / total)


def redrawn(distances: np.ndarray, points: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """FPR95 when the points are drawn anew with replacement, the same draws for whatever gave the distances.

    Args:
        distances: float [pairs].
        points: int64 [pairs, 2], the point of each patch; a pair matches where they are equal.
        draws: so many times.
    Returns: float [draws].
    Raises: ValueError: all pairs are of one kind, so that there is no FPR95.
    """
    names, numbers = np.unique(points, return_inverse=True)
    numbers, matching = numbers.reshape(points.shape), points[:, 0] == points[:, 1]
    if matching.all() or not matching.any():
        raise ValueError("pairs that match and pairs that do not are needed")
    random = np.random.default_rng(0)
    found: list[float] = []
    while len(found) < draws:
        often = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))[numbers]
        value = fpr95(distances, matching, np.where(matching, often[:, 0], often[:, 0] * often[:, 1]))
        if value == value:  # of two points a draw may have one alone, and then no pair that does not match
            found.append(value)
    return np.array(found)
