"""FPR95 against the number of triplets, below it the difference from same convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import CONV_COLOURS
from equivariance.experiments.patch_matching.artefact.variants import BASE, HEAD, HEADS, PUBLISHED, TRIPLETS

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """FPR95 against triplets, below it the paired difference from `same`; a column a set, published values open."""
    from matplotlib.figure import Figure

    sets = list(dict.fromkeys(table["data"]))
    figure = Figure(figsize=(5.2 * len(sets) + 1.4, 6.4), layout="constrained")
    axes = figure.subplots(2, len(sets), sharex="col", squeeze=False, height_ratios=[3, 2])
    for (above, below), data in zip(axes.T, sets, strict=True):
        panels(above, below, table[table["data"] == data], list(table.columns[: list(table.columns).index("n")]))
        above.legend(frameon=False, fontsize="small")
    axes[0][0].set_ylabel("FPR95 (%), lower is better")
    axes[1][0].set_ylabel("difference from same\n(percentage points)")
    return figure


def panels(above: Axes, below: Axes, table: pandas.DataFrame, keys: list[str]) -> None:
    """Draws one column.

    Args:
        above: FPR95 with intervals over seeds and points.
        below: differences from same, paired, with intervals over seeds and points.
        table: the rows of one data set.
        keys: columns that tell rows apart.
    """
    from matplotlib.ticker import NullFormatter

    data = table["data"].iloc[0]
    names = [key for key in keys if key not in ("data", TRIPLETS)]
    lines = list(table.groupby(names, sort=False))
    for number, (key, line) in enumerate(lines):
        _line(above, below, dict(zip(names, key, strict=True)), line, number - (len(lines) - 1) / 2)
    _theirs(above, below, data)
    ticks = sorted({*table[TRIPLETS], *(PUBLISHED.along(TRIPLETS, "fpr95") if data == "phototour" else ())})
    below.set_xscale("log")
    below.set_xlim(ticks[0] / 1.3, ticks[-1] * 1.3)
    below.set_xticks(ticks, [f"{t:,}".replace(",", " ") for t in ticks])
    below.xaxis.set_minor_formatter(NullFormatter())
    below.axhline(0, color="#999999", linewidth=0.8)
    below.set_xlabel("triplets trained on")
    above.set_title(f"data={data}")
    above.set_ylim(bottom=0)
    for axis in (above, below):
        axis.spines[["top", "right"]].set_visible(False)


def _line(above: Axes, below: Axes, names: dict[str, Any], line: pandas.DataFrame, beside: float) -> None:
    """One variant, a little beside the others so that intervals can be told apart."""
    colour, style = CONV_COLOURS.get(names["conv"], "#666666"), HEADS[names[HEAD]]
    x = line[TRIPLETS] * 1.03**beside
    label = ", ".join(f"{value}" for value in names.values())
    for axis, middle, low, high in (
        (above, "fpr95_mean", "fpr95_low", "fpr95_high"),
        (below, "difference", "difference_low", "difference_high"),
    ):
        there = line[middle].notna()
        if there.any():
            y = line[middle]
            around = [(y - line[low])[there], (line[high] - y)[there]]
            axis.errorbar(x[there], y[there], around, fmt="o", ls=style, color=colour, capsize=3, ms=4, label=label)


def _theirs(above: Axes, below: Axes, data: str) -> None:
    if data != "phototour":
        return
    same, full = (PUBLISHED.along(TRIPLETS, "fpr95", conv=conv) for conv in (BASE, "full"))
    added = PUBLISHED.along(TRIPLETS, "difference", conv="full")
    look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 9, "mfc": "none"}
    above.plot(list(same), list(same.values()), color=CONV_COLOURS[BASE], label="published, same", **look)
    above.plot(list(full), list(full.values()), color=CONV_COLOURS["full"], label="published, full", **look)
    below.plot(list(added), list(added.values()), color=CONV_COLOURS["full"], **look)
