"""Which variants are told apart: each against the published one, and the exact one against the best of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from equivariance.experiments.shift.artefact.variants import Variant, families
from sweeps import comparisons, intervals, verdicts
from sweeps.verdicts import Planned

if TYPE_CHECKING:
    import pandas

TITLE = "Which variants are told apart?"
UNITS = verdicts.UNITS.format(family="a network's rows") + "; of one seed paired by test picture"
METRICS = ("consistency", "accuracy")
shown = verdicts.shown
PUBLISHED, EXACT = ("same", "strided"), ("unbounded", "polyphase")


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a comparison: see `sweeps.verdicts.rows`; `over` is what is paired, `p` of pictures McNemar's, exact."""
    import pandas as pd

    found = [row for family, variants in families(frame) for row in verdicts.rows(family, _planned(variants))]
    return pd.DataFrame(found)


def _planned(variants: list[Variant]) -> Iterator[Planned]:
    """The comparisons of a family."""
    for metric in METRICS:
        published = _find(variants, PUBLISHED)
        others = [v for v in variants if v is not published]
        if published:
            yield from (_compared(one, published, metric) for one in others)
        exact = _find(variants, EXACT)
        rivals = [v for v in others if v is not exact]
        if exact and rivals:
            yield _compared(exact, max(rivals, key=lambda v: v.runs[f"metrics.{metric}"].mean()), metric)


def _find(variants: list[Variant], names: tuple[str, str]) -> Variant | None:
    return next((v for v in variants if (v.conv, v.downsample) == names), None)


def _compared(one: Variant, other: Variant, metric: str) -> Planned:
    found, over = _difference(one, other, metric)
    return Planned({"metric": metric, "variant": one.name, "less": other.name, "over": over}, found)


def _difference(one: Variant, other: Variant, metric: str) -> tuple[comparisons.Difference, str]:
    """Over the seeds both have; of one seed alone over its pictures, where both have recorded them."""
    first, second = one.right(metric), other.right(metric)
    if first and second and one.seeds(other):
        scores = [intervals.scores(right) for right in (first, second)]
        if len(scores[0]) == len(scores[1]):
            return comparisons.over_pictures(*scores), "pictures"
    return comparisons.paired(*one.paired(other, metric)), "seeds"
