"""The one interval of every table and figure: 95 % for the mean accuracy over new seeds and new test pictures.

What is assumed:
- Seeds are drawn independently, and so are test pictures. Crops of one photograph (data=photos) are taken as
  independent too, which crops that overlap are not quite.
- Every seed of a cell is tested on the same pictures: which they are follows from `data`, not from `seed`, and runs
  with other pictures are other cells. So seeds and pictures cross, and a picture's difficulty does not average out
  over seeds: Student's t over ten seeds alone covers 63 % instead of 95 %, whatever the number of pictures.
- A picture is one unit, its score the share of its images (one at each place) that are told right: they are not
  independent, since what looks upper left at one place does so at the other.
- Training pictures are the same for all runs of a cell: the interval does not speak of others.

The variance of the mean is that over seeds plus that over pictures less their interaction, which is in both; Student's
t, with Satterthwaite's degrees of freedom. Two made-up pictures, one told right and one told wrong by all seeds, are
added (Bonett & Price 2012, for paired proportions), so that 24 of 24 right is no proof of 100 %; and for the degrees of
freedom the seeds' share of the variance is at least `SHARE` / seeds, so that two seeds that agree by chance prove
little. With one seed it speaks of pictures alone.

Coverage (simulated in tests/sweeps/test_intervals.py): two seeds at least 90 %; from five seeds 93 to 97 % with 100
pictures or more and accuracies of 50 to 90 %. It is above 97 % with few pictures (24: up to 99 %) and near 100 %. Where
the spread of seeds presses against 100 % (97 ± 2 %, 1000 pictures) no such interval holds: 86 % with two, 84 with five.
Pictures nested in seeds, as a beta-binomial or a bootstrap would have them, would divide the pictures' variance by the
seeds as Student's t does; without the subtraction of the interaction five seeds cover 98 to 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
# Found by simulation: with 1.0 two seeds cover 88 %.
SHARE = 1.2
# How often test pictures are drawn anew for a leak distance.
DRAWS = 1000
SEEDS_AND_PICTURES, PICTURES, SEEDS = "seeds and pictures", "pictures alone", "seeds alone"


def of_runs(values: list[float], right: list[list[str] | None], images: float) -> tuple[float, float, str]:
    """The interval of one cell.

    Args:
        values: the accuracy of each seed, in [0, 1].
        right: for each seed and each place of a picture a digit a test picture, 1 where it was told right, as runs
            record it; None for a run that has not recorded it.
        images: test images of one run.
    Returns: (low, high, what it speaks of), in [0, 1]. Where a run has no record, pictures are taken as few and as
        alike to all seeds as the accuracies allow, which as a rule makes the interval longer.
    """
    import numpy as np

    known = [scores(r) for r in right if r]
    if len(known) < len(values) or len({len(k) for k in known}) > 1:
        pictures = max(1, round(images / 2))
        known = [np.clip(value * pictures - np.arange(pictures), 0, 1) for value in values]
    return *of_scores(np.stack(known)), SEEDS_AND_PICTURES if len(values) > 1 else PICTURES


def of_seeds(values: list[float]) -> tuple[float, float, str]:
    """The interval of one cell whose runs are all tested on all there is to test on.

    Args:
        values: the accuracy of each seed, in [0, 1].
    Returns: as `of_runs`; a seed is what a picture is there.
    """
    import numpy as np

    return *of_scores(np.array([values])), SEEDS


def of_values(values: list[float]) -> tuple[float, float]:
    """Student's interval of the mean of any quantity over seeds; NaN where there is but one, which has none.

    Args:
        values: one a seed, in any unit.
    """
    import numpy as np
    from scipy import stats

    if len(values) < 2:
        return float("nan"), float("nan")
    mean = float(np.mean(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean - half, mean + half


def of_redrawn(
    values: list[float], redrawn: Sequence[Sequence[float] | None], pictures: int
) -> tuple[float, float, str]:
    """The interval of the mean of a quantity that is no mean over pictures, such as a rate at a threshold.

    Its variance over pictures is that of the mean over seeds when pictures are drawn anew, all seeds' alike.

    Args:
        values: one a seed, in any unit; or differences of two runs that were tested on the same.
        redrawn: for each seed the value in each draw of the pictures, the draws in one order; None: not recorded.
        pictures: how many there are, or of whatever else is drawn anew.
    Returns: (low, high, what it speaks of); NaN where there is nothing to tell it by.
    """
    import numpy as np

    seeds, mean = len(values), float(np.mean(values))
    recorded = [draws for draws in redrawn if draws]
    known = len(recorded) == seeds and len({len(draws) for draws in recorded}) == 1
    if not known and seeds < 2:
        return float("nan"), float("nan"), ""
    over_pictures = float(np.mean(recorded, 0).var()) if known else 0.0
    over_seeds = float(np.var(values, ddof=1)) / seeds if seeds > 1 else 0.0
    half = half_width(over_seeds, over_pictures, 0.0, seeds, pictures)
    return mean - half, mean + half, (SEEDS_AND_PICTURES if known else SEEDS) if seeds > 1 else PICTURES


def of_scores(scores: np.ndarray) -> tuple[float, float]:
    """The interval of the mean score.

    Args:
        scores: float [seeds, pictures], in [0, 1].
    Returns: (low, high), in [0, 1].
    """
    import numpy as np

    seeds, pictures = scores.shape
    weight = pictures / (pictures + 2)  # of a true picture's part in the mean
    by_picture = np.array([*scores.mean(0), 1.0, 0.0])
    mean, over_pictures = by_picture.mean(), by_picture.var(ddof=1) / len(by_picture)
    over_seeds = interaction = 0.0
    if seeds > 1:
        rest = scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()
        freedom = (seeds - 1) * max(1, pictures - 1)
        over_seeds = weight**2 * scores.mean(1).var(ddof=1) / seeds
        interaction = weight**2 * (rest**2).sum() / freedom / scores.size
    half = half_width(over_seeds, over_pictures, interaction, seeds, len(by_picture))
    return max(0.0, float(mean - half)), min(1.0, float(mean + half))


def of_distances(
    distances: list[float], right: list[dict[str, list[str]] | None], confidence: float = CONFIDENCE
) -> tuple[float, str]:
    """Half of the interval of a mean leak distance.

    The variance over pictures is that of the mean distance when test pictures are drawn anew from those there are (all
    seeds' alike) and every border tried is judged again.

    Args:
        distances: of each seed, in pixels.
        right: for each seed, by border tried, which test pictures were told right; None where that was not recorded.
        confidence: with which a border is decodable.
    Returns: (half the interval in pixels, what it speaks of).
    """
    import numpy as np

    seeds, over_pictures, pictures = len(distances), 0.0, 1
    tried = [{int(border): 2 * scores(places) - 1 for border, places in r.items()} for r in right if r]
    recorded = len(tried) == seeds and len({len(told) for borders in tried for told in borders.values()}) == 1
    if recorded:
        pictures = len(next(iter(tried[0].values())))
        drawn = np.random.default_rng(0).multinomial(pictures, np.full(pictures, 1 / pictures), size=DRAWS)
        again = np.mean([_distance(borders, drawn, confidence) for borders in tried], axis=0)
        over_pictures = float(again.var())
    over_seeds = float(np.var(distances, ddof=1)) / seeds if seeds > 1 else 0.0
    half = half_width(over_seeds, over_pictures, 0.0, seeds, pictures)
    return half, (SEEDS_AND_PICTURES if recorded else SEEDS) if seeds > 1 else PICTURES if recorded else ""


def _distance(borders: dict[int, np.ndarray], drawn: np.ndarray, confidence: float) -> np.ndarray:
    """The leak distance of one seed in each draw of pictures: up to it every border tried is decodable."""
    import numpy as np
    from scipy.stats import binom

    found, open_ = np.zeros(len(drawn)), np.ones(len(drawn), bool)
    for border, told in sorted(borders.items()):
        right, wrong = drawn @ (told > 0), drawn @ (told < 0)
        open_ &= binom.sf(right - 1, right + wrong, 0.5) < 1 - confidence
        found[open_] = border
    return found


def half_width(over_seeds: float, over_pictures: float, interaction: float, seeds: int, pictures: int) -> float:
    """Half of the interval.

    Args:
        over_seeds: variance of the mean that the spread of seeds tells.
        over_pictures: variance of the mean that the spread of pictures tells.
        interaction: the part that is in both.
        seeds: their number.
        pictures: their number.
    """
    from scipy.special import stdtrit

    variance = max(over_seeds + over_pictures - interaction, over_seeds, over_pictures)
    if not variance:
        return 0.0
    share = max(over_seeds / variance, SHARE / seeds) if seeds > 1 else 0.0
    freedom = 1 / ((share**2 / (seeds - 1) if share else 0.0) + (1 - share) ** 2 / max(1, pictures - 1))
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2) * variance**0.5)


def scores(right: list[str]) -> np.ndarray:
    """Each picture's share of images told right, float [pictures]; see `of_runs`."""
    import numpy as np

    return np.array([[int(digit) for digit in place] for place in right]).mean(0)
