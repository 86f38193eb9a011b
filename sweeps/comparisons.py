"""The one way to compare variants: paired, exact where it can be, corrected for the number of comparisons.

Variants that share a seed share pictures, splits, first weights as far as they have them, and places; so they are
compared by their differences, seed by seed or picture by picture, and never as if they were independent. Which test
answers which question: docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweeps import intervals

if TYPE_CHECKING:
    import numpy as np

LEVEL = 0.05
# The fewest paired seeds that a sign test can decide by: 2 / 2⁶ = 0.031, where five reach 0.0625 at best.
SEEDS = 6
CANNOT = "cannot decide"
NAN = float("nan")
EFFECTS = ("boundary", "phase", "interaction")


@dataclass(frozen=True)
class Difference:
    """One variant less another, over paired seeds, in the unit of the values.

    Args:
        n: paired seeds.
        mean: of the differences; NaN of none.
        low: lower end of Student's 95 % interval of the mean; NaN where there is none.
        high: its upper end.
        p: two-sided, of Student's paired t; of the sign test where all differences are the same; NaN of fewer than two.
        sign: two-sided, of the exact sign test; 1 where nothing differs.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float
    sign: float


def sign(differences: Sequence[float] | np.ndarray) -> float:
    """Exact two-sided sign test: how likely signs as uneven as these are if plus and minus are equally likely.

    Args:
        differences: one a pair, of seeds or of pictures; those of 0 say nothing and are left out.
    Returns: p in (0, 1]; 1 if none is left.
    """
    import numpy as np
    from scipy.stats import binomtest

    signs = np.sign(np.asarray(differences, float))
    plus, minus = int((signs > 0).sum()), int((signs < 0).sum())
    return float(binomtest(plus, plus + minus).pvalue) if plus + minus else 1.0


def mcnemar(one: Sequence[bool] | np.ndarray, other: Sequence[bool] | np.ndarray) -> float:
    """McNemar's exact two-sided test over pictures: the sign test over those of which two networks tell only one right.

    Args:
        one: for each test picture, whether the first network is right.
        other: of the second network, the same pictures.
    Returns: p in (0, 1].
    Raises: ValueError: other pictures.
    Source: McNemar 1947; exact by the binomial.
    """
    import numpy as np

    first, second = np.asarray(one, bool), np.asarray(other, bool)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} pictures are no pairs")
    return sign(first.astype(int) - second.astype(int))


def paired(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> Difference:
    """One variant less another, over seeds.

    Args:
        one: a value a seed, in any unit.
        other: of the other variant, the same seeds in the same order.
    Raises: ValueError: other numbers of seeds.
    """
    import numpy as np
    from scipy.stats import ttest_1samp

    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} seeds are no pairs")
    apart = np.asarray(one, float) - np.asarray(other, float)
    if not len(apart):
        return Difference(0, NAN, NAN, NAN, NAN, 1.0)
    low, high = intervals.of_values(apart.tolist())
    exact = sign(apart)
    # Values of counts can differ by the same in each seed; what is left of their spread is rounding, and t infinite.
    alike = np.ptp(apart) <= 1e-9 * max(1.0, float(np.abs(apart).max()))
    p = NAN if len(apart) < 2 else exact if alike else float(ttest_1samp(apart, 0).pvalue)
    return Difference(len(apart), float(apart.mean()), low, high, p, exact)


def over_pictures(one: np.ndarray, other: np.ndarray) -> Difference:
    """One network less another, over the test pictures that both were asked about; of these two networks alone.

    Args:
        one: float [pictures], in [0, 1]: right or not, or the share of a picture's images that were told right.
        other: of the other network.
    Returns: as `paired`, with pictures for seeds; `p` is the sign test's over pictures, which is McNemar's where scores
        are 0 or 1.
    """
    found = paired(one, other)
    return replace(found, p=found.sign)


def factorial(
    neither: np.ndarray, phase: np.ndarray, boundary: np.ndarray, both: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Two factors as pairs, the first less the second of which is each of EFFECTS.

    Main effects are the mean gain of one remedy over both levels of the other; the interaction is how much more a
    remedy gains where the other is in place.

    Args:
        neither: a value a pair (seed or picture), under neither remedy.
        phase: under the phase's alone.
        boundary: under the boundary's alone.
        both: under both.
    """
    return (
        ((boundary + both) / 2, (neither + phase) / 2),
        ((phase + both) / 2, (neither + boundary) / 2),
        (both - boundary, phase - neither),
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's corrected p of a family of comparisons, which bounds the chance of even one false claim.

    Args:
        ps: of each comparison; NaN where one could not be made, which counts as none.
    Returns: in the same order, at most 1; NaN stays NaN.
    Source: Holm 1979.
    """
    made = sorted((i for i, p in enumerate(ps) if p == p), key=lambda i: ps[i])
    found, highest = [NAN] * len(ps), 0.0
    for rank, i in enumerate(made):
        highest = max(highest, min(1.0, (len(made) - rank) * ps[i]))
        found[i] = highest
    return found


def least(pairs: int) -> float:
    """The smallest two-sided p that a sign test of so many pairs can reach."""
    return min(1.0, 2.0 ** (1 - pairs))


def verdict(found: Difference, corrected: float) -> str:
    """What a comparison over seeds says.

    Args:
        found: the difference.
        corrected: its p after `holm`.
    Returns: `higher`, `lower`, `not told apart`; or `cannot decide`, of fewer than SEEDS pairs whatever their p.
    """
    if found.n < SEEDS:
        return CANNOT
    if corrected < LEVEL:
        return "higher" if found.mean > 0 else "lower"
    return "not told apart"
