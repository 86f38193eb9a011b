"""The equivalent-data factor: how many times as many pictures same convolution needs for the accuracy of a variant.

Both curves of mean accuracy are taken as straight between the measured numbers of pictures, over the logarithm of the
number, and as never falling. The factor is N_same / N_variant at one accuracy, its logarithm averaged over all
accuracies that both curves reach. Its interval is that of the logarithm: seeds are drawn anew with replacement, and
test pictures are, the same for all runs; the two variances are added as for accuracies (sweeps/intervals.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from equivariance.experiments.data_efficiency.artefact.variants import BASE, Variant, families, find
from sweeps import intervals

if TYPE_CHECKING:
    import pandas

TITLE = "How many times the pictures does same convolution need for the same accuracy?"
UNITS = (
    "N of same / N of the variant, mean over the accuracies that both reach [95 % by bootstrap over seeds and pictures]"
    " (seeds);\nabove 1: same needs more; ≥, ≤: no accuracy in common, the numbers of pictures bound it"
)
DRAWS = 400
LEVELS = 50  # accuracies at which the curves are compared


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant: the family, variant, n, factor, low, high, bound, lowest, highest (accuracies in percent)."""
    import pandas as pd

    found = []
    for family, variants in families(frame):
        for variant in variants:
            base = find(variants, *BASE, beside=variant)
            row = _row(variant, base) if base and variant is not base else None
            found += [family | {"variant": variant.name} | row] if row else []
    return pd.DataFrame(found)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said, rows = table[keys].copy(), table.to_dict("records")
    said["factor"] = [_said(row) for row in rows]
    said["between accuracies of"] = [
        "" if row["bound"] else f"{row['lowest']:.1f} and {row['highest']:.1f} %" for row in rows
    ]
    return said.set_index(keys)


def _said(row: dict[Any, Any]) -> str:
    interval = "" if row["low"] != row["low"] else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['bound']}{row['factor']:.2f}{interval} ({row['n']})"


def _row(variant: Variant, base: Variant) -> dict[str, Any] | None:
    """None where no seed has both curves, or a curve is a point."""
    numbers = [sorted(v.runs) for v in (variant, base)]
    seeds = sorted(set.intersection(*(set(runs.index) for v in (variant, base) for runs in v.runs.values())))
    if not seeds or min(map(len, numbers)) < 2:
        return None
    curves = [_scores(v, counts, seeds) for v, counts in zip((variant, base), numbers, strict=True)]
    if curves[0].shape[2] != curves[1].shape[2]:  # not of the same pictures, or not recorded by all
        curves = [curve.mean(2, keepdims=True) for curve in curves]
    lowest, highest = _common([curve.mean((0, 2)) for curve in curves])
    told = float(factors([curve.mean((0, 2))[None] for curve in curves], numbers)[0])
    error = deviation(curves, numbers) if max(curves[0].shape[0], curves[0].shape[2]) > 1 else float("nan")
    bound = "" if lowest < highest else "≥ " if told > 1 else "≤ "
    ends = {"low": told * np.exp(-error), "high": told * np.exp(error)}
    numbers_of = {"n": len(seeds), "factor": told, **ends, "bound": bound}
    return numbers_of | {"lowest": 100 * lowest, "highest": 100 * highest}


def _scores(variant: Variant, counts: list[int], seeds: list[int]) -> np.ndarray:
    """Whether each picture was told right, float [seeds, counts, pictures]; the accuracy where that is not recorded."""
    cells: list[list[Any]] = [[variant.runs[count].loc[seed] for count in counts] for seed in seeds]
    records: list[list[Any]] = [[run.get("right") for run in row] for row in cells]
    if all(isinstance(record, dict) and record.get("accuracy") for row in records for record in row):
        known = [[intervals.scores(record["accuracy"]) for record in row] for row in records]
        if len({len(scores) for row in known for scores in row}) == 1:
            return np.array(known)
    return np.array([[[run["metrics.accuracy"]] for run in row] for row in cells])


def deviation(curves: list[np.ndarray], numbers: list[list[int]]) -> float:
    """Half of the 95 % interval of the factor's logarithm.

    Args:
        curves: of the variant and of same, float [seeds, counts, pictures], in [0, 1].
        numbers: pictures a class, of each.
    """
    seeds, _, pictures = curves[0].shape
    random = np.random.default_rng(0)
    weights = [_drawn(random, count) for count in (seeds, pictures)]
    of_seeds, of_pictures = [weights[0] @ c.mean(2) for c in curves], [weights[1] @ c.mean(0).T for c in curves]
    over_seeds, over_pictures = (float(np.log(factors(drawn, numbers)).var()) for drawn in (of_seeds, of_pictures))
    return intervals.half_width(_unbiased(over_seeds, seeds), _unbiased(over_pictures, pictures), 0.0, seeds, pictures)


def _drawn(random: np.random.Generator, count: int) -> np.ndarray:
    """How much each counts when so many are drawn anew, float [draws, count]."""
    return random.multinomial(count, np.full(count, 1 / count), DRAWS) / count


def _unbiased(variance: float, count: int) -> float:
    """What is drawn from a sample spreads less than what the sample was drawn from."""
    return variance * count / (count - 1) if count > 1 else 0.0


def factors(curves: list[np.ndarray], numbers: list[list[int]]) -> np.ndarray:
    """N of the second curve over N of the first at equal accuracy, float [draws].

    Args:
        curves: two of float [draws, counts], accuracies.
        numbers: pictures a class of each, ascending.
    """
    return np.exp([_between(pair, numbers) for pair in zip(*curves, strict=True)])


def _between(pair: tuple[np.ndarray, ...], numbers: list[list[int]]) -> float:
    """The mean horizontal distance of two curves, in the logarithm; beyond a curve its end stands."""
    low, high = _common(list(pair))
    levels = np.linspace(low, high, LEVELS)
    first, second = (
        np.interp(levels, _rising(curve), np.log(counts)) for curve, counts in zip(pair, numbers, strict=True)
    )
    return float((second - first).mean())


def _common(curves: list[np.ndarray]) -> tuple[float, float]:
    """The lowest and the highest accuracy that both reach; the lowest is above the highest where there is none."""
    rising = [np.maximum.accumulate(curve) for curve in curves]
    return max(curve[0] for curve in rising), min(curve[-1] for curve in rising)


def _rising(curve: np.ndarray) -> np.ndarray:
    """The curve where it never falls, each value a little above the one before, so that it can be inverted."""
    return np.maximum.accumulate(curve) + 1e-9 * np.arange(len(curve))
