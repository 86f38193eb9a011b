"""Planned comparisons of variants as a table: differences paired by seed, corrected over a family, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps import comparisons

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
        one: a value a seed, in [0, 1].
        other: of what it is compared with.
    """

    names: dict[str, Any]
    one: Mapping[int, float]
    other: Mapping[int, float]


def rows(family: dict[str, Any], planned: Iterable[Planned]) -> list[dict[str, Any]]:
    """The comparisons of one family, corrected for their number.

    Args:
        family: what they all are of, by column.
        planned: all of them; those without a seed in common are rows, too.
    Returns: for each the columns of family and names, then n, difference, low, high (points of percent), p (Student's
        paired), holm, sign, verdict.
    """
    compared = list(planned)
    found = []
    for each in compared:
        seeds = sorted(each.one.keys() & each.other.keys())
        found.append(comparisons.paired([each.one[s] for s in seeds], [each.other[s] for s in seeds]))
    corrected = comparisons.holm([difference.p for difference in found])
    return [
        {
            **family,
            **each.names,
            "n": difference.n,
            "difference": 100 * difference.mean,
            "low": 100 * difference.low,
            "high": 100 * difference.high,
            "p": difference.p,
            "holm": holm,
            "sign": difference.sign,
            "verdict": comparisons.verdict(difference, holm),
        }
        for each, difference, holm in zip(compared, found, corrected, strict=True)
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
