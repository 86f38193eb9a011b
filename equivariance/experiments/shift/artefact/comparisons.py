"""Which variants are told apart: each against the published one, and the exact one against the best of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from equivariance.experiments.shift.artefact.variants import Variant, families
from sweeps import comparisons, intervals

if TYPE_CHECKING:
    import pandas

TITLE = "Which variants are told apart?"
UNITS = (
    "difference in points [95 %], paired by seed, or of one seed by test picture; p: Holm's over a network's rows,\n"
    f"beside the sign test's own; fewer than {comparisons.SEEDS} seeds cannot decide"
)
METRICS = ("consistency", "accuracy")
PUBLISHED, EXACT = ("same", "strided"), ("unbounded", "polyphase")


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a comparison: the family, metric, variant, against, n, over, difference, low, high, p, holm, sign, verdict.

    Differences are in points of percent; `over` is what is paired, `p` Student's (of pictures: McNemar's, exact).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for family, variants in families(frame):
        here = [family | row for row in _rows(variants)]
        for row, corrected in zip(here, comparisons.holm([r["p"] for r in here]), strict=True):
            row["holm"] = corrected
            row["verdict"] = comparisons.verdict(row.pop("found"), corrected)
        rows += here
    return pd.DataFrame(rows)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    rows = table.to_dict("records")
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[keys].copy()
    said["difference"] = [_said(row) for row in rows]
    said["p"] = ["" if row["holm"] != row["holm"] else f"{row['holm']:.2g}" for row in rows]
    said["sign test, alone"] = ["" if row["n"] < 2 else f"{row['sign']:.2g}" for row in rows]
    said["verdict"] = table["verdict"]
    return said.set_index(keys)


def _said(row: dict[Any, Any]) -> str:
    if row["difference"] != row["difference"]:
        return "no seed in common"
    interval = "" if row["low"] != row["low"] else f" [{row['low']:+.1f}, {row['high']:+.1f}]"
    return f"{row['difference']:+.1f}{interval} ({row['n']} {row['over']})"


def _rows(variants: list[Variant]) -> Iterator[dict[str, Any]]:
    """The planned comparisons of a family."""
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


def _compared(one: Variant, other: Variant, metric: str) -> dict[str, Any]:
    found, over = _difference(one, other, metric)
    return {
        "metric": metric,
        "variant": one.name,
        "against": other.name,
        "n": found.n,
        "over": over,
        "difference": 100 * found.mean,
        "low": 100 * found.low,
        "high": 100 * found.high,
        "p": found.p,
        "sign": found.sign,
        "found": found,
    }


def _difference(one: Variant, other: Variant, metric: str) -> tuple[comparisons.Difference, str]:
    """Over the seeds both have; of one seed alone over its pictures, where both have recorded them."""
    first, second = one.right(metric), other.right(metric)
    if first and second and one.seeds(other):
        scores = [intervals.scores(right) for right in (first, second)]
        if len(scores[0]) == len(scores[1]):
            return comparisons.over_pictures(*scores), "pictures"
    found = comparisons.paired(*one.paired(other, metric))
    return found, "seed" if found.n == 1 else "seeds"
