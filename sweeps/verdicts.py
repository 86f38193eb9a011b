"""Planned comparisons of variants as a table: differences paired by seed, corrected over a family, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps import comparisons
from sweeps.comparisons import Difference

if TYPE_CHECKING:
    import pandas

UNITS = (
    "difference in points [95 %], paired by seed; p: Holm's over {family},\n"
    f"beside the sign test's own; fewer than {comparisons.SEEDS} seeds cannot decide"
)


@dataclass(frozen=True)
class Planned:
    """A comparison that was fixed before the runs.

    Args:
        names: what is compared, by column.
        found: the one less the other, in [-1, 1]; of no seed where they have none in common.
    """

    names: dict[str, Any]
    found: Difference


def by_seed(one: Mapping[int, float], other: Mapping[int, float]) -> Difference:
    """A variant less another, over the seeds that both have.

    Args:
        one: a value a seed, in [0, 1].
        other: of what it is compared with.
    """
    seeds = sorted(one.keys() & other.keys())
    return comparisons.paired([one[s] for s in seeds], [other[s] for s in seeds])


def rows(family: dict[str, Any], planned: Iterable[Planned]) -> list[dict[str, Any]]:
    """The comparisons of one family, corrected for their number.

    Args:
        family: what they all are of, by column.
        planned: all of them; those without a seed in common are rows, too.
    Returns: for each the columns of family and names, then n, difference, low, high (points of percent), p,
        holm, sign, verdict.
    """
    compared = list(planned)
    corrected = comparisons.holm([each.found.p for each in compared])
    return [
        {
            **family,
            **each.names,
            "n": each.found.n,
            "difference": 100 * each.found.mean,
            "low": 100 * each.found.low,
            "high": 100 * each.found.high,
            "p": each.found.p,
            "holm": holm,
            "sign": each.found.sign,
            "verdict": comparisons.verdict(each.found, holm),
        }
        for each, holm in zip(compared, corrected, strict=True)
    ]


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """Such rows for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said, found = table[keys].copy(), table.to_dict("records")
    said["difference"] = [_said(row) for row in found]
    said["p"] = ["" if row["holm"] != row["holm"] else f"{row['holm']:.2g}" for row in found]
    said["sign test, alone"] = ["" if row["n"] < 2 else f"{row['sign']:.2g}" for row in found]
    said["verdict"] = table["verdict"]
    return said.set_index(keys)


def _said(row: dict[Any, Any]) -> str:
    if not row["n"]:
        return "no seed in common"
    interval = "" if row["low"] != row["low"] else f" [{row['low']:+.1f}, {row['high']:+.1f}]"
    return f"{row['difference']:+.1f}{interval} ({row['n']})"
