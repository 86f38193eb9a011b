"""Which leak is it? Consistency by two factors: the boundary removed or not, the phase removed or not.

Main effects are the mean gain of one remedy over both levels of the other; the interaction is how much more a remedy
gains where the other is in place: two leaks that each spoil a prediction alone have a negative or no interaction while
either remedy helps alone, and a positive one where both are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import CONV_COLOURS
from equivariance.experiments.shift.artefact.variants import Variant, families
from sweeps import comparisons

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Which leak is it, the boundary's or the phase's?"
UNITS = (
    "effect on consistency in points [95 %], paired by seed; p: Holm's, over all rows of a network;\n"
    f"fewer than {comparisons.SEEDS} seeds cannot decide"
)
# Remedies of each leak; the first of each is exact.
BOUNDARY, PHASE = ("unbounded", "full"), ("polyphase", "blur")


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row an effect: the family, effect, remedies, n, mean, low, high, p, holm, verdict; in points of percent.

    `circular less moved` is, of one variant, the consistency under circular shifts less that under ordinary ones, of
    objects those cut by the edge included.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for family, variants in families(frame):
        here = [family | row for row in (*_factorial(variants), *_gaps(variants))]
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
    interval = ["" if r["low"] != r["low"] else f" [{r['low']:+.1f}, {r['high']:+.1f}]" for r in rows]
    said["points"] = [f"{r['mean']:+.1f}{i} ({r['n']})" for r, i in zip(rows, interval, strict=True)]
    said["p"] = ["" if r["holm"] != r["holm"] else f"{r['holm']:.2g}" for r in rows]
    said["verdict"] = table["verdict"]
    return said.set_index(keys)


def figure(table: pandas.DataFrame, runs: Runs) -> Figure | None:
    """For each network: consistency in the 2×2 cells, a thin line a seed; and the effects with their intervals.

    None where no network has all four cells.
    """
    from matplotlib.figure import Figure

    squares = [
        (family, s) for family, variants in families(runs.frame) if (s := _square(variants, "unbounded", "polyphase"))
    ]
    if not squares:
        return None
    figure = Figure(figsize=(8.4, 3.5 * len(squares) + 0.3), layout="constrained")
    panels = figure.subplots(len(squares), 2, squeeze=False)
    for (cells, effects), (family, square) in zip(panels, squares, strict=True):
        _lines(cells, square)
        cells.set_title(", ".join(map(str, family.values())))
        _bars(effects, [row for row in _factorial(list(square.values())) if row["remedies"] == _NAMED])
    return figure


_NAMED = "unbounded × polyphase"
Square = dict[tuple[bool, bool], Variant]


def _square(variants: list[Variant], boundary: str, phase: str) -> Square | None:
    """The four cells by (boundary removed, phase removed), if there is one of each and a seed that all have."""
    wanted = {
        (b, p): (boundary if b else "same", phase if p else "strided") for b in (False, True) for p in (False, True)
    }
    found = {key: [v for v in variants if (v.conv, v.downsample) == names] for key, names in wanted.items()}
    if any(len(cell) != 1 for cell in found.values()):
        return None
    square = {key: cell[0] for key, cell in found.items()}
    first, *others = square.values()
    return square if first.seeds(*others) else None


def _factorial(variants: list[Variant]) -> Iterator[dict[str, Any]]:
    for boundary in BOUNDARY:
        for phase in PHASE:
            square = _square(variants, boundary, phase)
            if square:
                yield from _effects(square, f"{boundary} × {phase}")


def _effects(square: Square, remedies: str) -> Iterator[dict[str, Any]]:
    first, *others = square.values()
    seeds = first.seeds(*others)
    cell = {key: v.runs.loc[seeds, "metrics.consistency"].to_numpy(float) for key, v in square.items()}
    neither, phase, boundary, both = (cell[k] for k in ((False, False), (False, True), (True, False), (True, True)))
    for name, pair in zip(comparisons.EFFECTS, comparisons.factorial(neither, phase, boundary, both), strict=True):
        yield _row(name, remedies, comparisons.paired(*pair))


def _gaps(variants: list[Variant]) -> Iterator[dict[str, Any]]:
    for variant in variants:
        around, moved = (variant.runs[f"metrics.{m}"].to_list() for m in ("circular", "consistency"))
        yield _row("circular less moved", variant.name, comparisons.paired(around, moved))


def _row(effect: str, remedies: str, found: comparisons.Difference) -> dict[str, Any]:
    numbers = {"mean": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high, "p": found.p}
    return {"effect": effect, "remedies": remedies, "n": found.n, **numbers, "found": found}


def _lines(axis: Axes, square: Square) -> None:
    first, *others = square.values()
    seeds = first.seeds(*others)
    for boundary in (False, True):
        pair = [square[boundary, phase] for phase in (False, True)]
        values = [100 * v.runs.loc[seeds, "metrics.consistency"].to_numpy(float) for v in pair]
        colour = CONV_COLOURS.get(pair[0].conv, "#666666")
        axis.plot([0, 1], values, color=colour, linewidth=0.7, alpha=0.4)
        axis.plot(
            [0, 1], [v.mean() for v in values], "o-", color=colour, linewidth=2, label=pair[0].conv, clip_on=False
        )
    axis.set(xticks=(0, 1), xticklabels=("strided", "polyphase"), xlim=(-0.25, 1.25), ylabel="consistency (%)")
    axis.set_ylim(top=101)
    axis.legend(frameon=False, title="boundary")
    axis.spines[["top", "right"]].set_visible(False)


def _bars(axis: Axes, rows: list[dict[str, Any]]) -> None:
    for y, row in enumerate(rows):
        axis.plot(row["mean"], y, "o", color="#333333")
        if row["low"] == row["low"]:
            axis.plot([row["low"], row["high"]], [y, y], color="#333333", linewidth=1.6)
    axis.axvline(0, color="#999999", linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(rows)), [row["effect"] for row in rows])
    seeds = rows[0]["n"] if rows else 0
    axis.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"effect of removing it (points, 95 % over {seeds} seeds)")
    axis.spines[["top", "right"]].set_visible(False)
