"""The paper's table 1: accuracy with boxes at the height of training and at the other class's, and all between."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.experiments.looks import CONV_COLOURS, ordered
from sweeps import tables
from sweeps.published import Reference, said

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Is red left of green? In training the height gives it away; at test it is as in training, or swapped"
UNITS = (
    "accuracy in %, mean ± std [95 % interval over seeds and test images] (seeds);"
    " published: 95 % of the mean of 10 runs, tested on training images; ceiling: fresh images"
)
COMMAND = "python -m equivariance.run -m +sweep=red_green"
# Metrics without which a run is no cell of the table.
NEEDS = ("similar", "dissimilar", "n")
AXES = ["conv", "protocol"]
SIDES = ("similar", "dissimilar")
SHIFTS = 16  # rows, at which heights are swapped
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a type and protocol, in percent: similar and dissimilar with intervals, ceiling, published, the curve."""
    curve = tuple(f"shift_{s}" for s in range(SHIFTS + 1))
    halves: list[pandas.DataFrame] = []
    for side, others in zip(SIDES, ((), ("ceiling", *curve)), strict=True):
        half = tables.cells(frame, AXES, side, others)
        names = {"low": f"{side}_low", "high": f"{side}_high"}
        half = half.drop(columns=["certified", "over"] if halves else "certified").rename(columns=names)
        halves.append(half)
    keys = list(halves[0].columns[: list(halves[0].columns).index("n") + 1])
    found = halves[0].merge(halves[1], on=keys)
    found[["ceiling", *curve]] *= 100
    for side in SIDES:
        found = PUBLISHED.beside(found, side, f"published_{side}", (f"{side}_low", f"{side}_high"))
    order = found["conv"].map(ordered) * 2 + (found["protocol"] == "paper")
    return found.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people: a row a type, both protocols beside the published values."""
    import pandas as pd

    columns = list(table.columns)
    keys = [k for k in columns[: columns.index("n")] if k != "protocol"]
    parts = {}
    for side in SIDES:
        cells = table.assign(cell=[tables.said(row, side, f"{side}_") for row in table.to_dict("records")])
        wide = cells.pivot_table(index=keys, columns="protocol", values="cell", aggfunc="first", sort=False)
        for protocol in ("released", "paper"):
            if protocol in wide:
                parts[side, protocol] = wide[protocol]
        beside = [_published(table[(table[keys] == list(key)).all(axis=1)], side) for key in _keys(wide)]
        parts[side, "published"] = pd.Series(beside, index=wide.index)
    ceilings = table.drop_duplicates(keys).set_index(keys)["ceiling"]
    parts["", "ceiling"] = ceilings.map(lambda c: "" if c != c or c is None else f"{c:.1f}")
    return pd.DataFrame(parts).fillna("")


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """Accuracy against shift, a panel a protocol, with ceilings and published values."""
    from matplotlib.figure import Figure

    protocols = [p for p in ("released", "paper") if p in set(table["protocol"])]
    figure = Figure(figsize=(4.6 * len(protocols) + 1.2, 4.4), layout="constrained")
    axes = figure.subplots(1, len(protocols), sharey=True, squeeze=False)[0]
    for axis, protocol in zip(axes, protocols, strict=True):
        for row in table[table["protocol"] == protocol].to_dict("records"):
            _curve(axis, row)
        axis.axhline(50, color="#CCCCCC", linewidth=0.8, zorder=0)
        axis.set(title=f"protocol={protocol}", xlabel="rows by which the classes are moved together", ylim=(-3, 103))
        axis.set_xticks(range(0, SHIFTS + 1, 4))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("accuracy (%)")
    _legend(figure, sorted(set(table["conv"]), key=ordered))
    return figure


def _curve(axis: Axes, row: dict) -> None:
    """One type: the mean over seeds at every shift, intervals at both ends, ceiling and published values."""
    colour = CONV_COLOURS[row["conv"]]
    style = "--" if row["conv"] == "unbounded" else "o-"  # it lies on full: without biases they are the same
    accuracies = [row[f"shift_{s}"] for s in range(SHIFTS + 1)]
    axis.plot(range(SHIFTS + 1), accuracies, style, color=colour, linewidth=1.5, markersize=2.5)
    ends = [row["similar_mean"], row["dissimilar_mean"]]
    lows = [row["similar_low"], row["dissimilar_low"]]
    highs = [row["similar_high"], row["dissimilar_high"]]
    gaps = [[e - low for e, low in zip(ends, lows, strict=True)], [h - e for e, h in zip(ends, highs, strict=True)]]
    axis.errorbar([0, SHIFTS], ends, gaps, color=colour, linestyle="none", capsize=3, linewidth=1)
    published = [row["published_similar"], row["published_dissimilar"]]
    axis.plot([0, SHIFTS], published, "o", color=colour, markersize=9, markerfacecolor="none", linestyle="none")
    if row["ceiling"] == row["ceiling"]:
        axis.axhline(row["ceiling"], color=colour, linewidth=0.9, linestyle=":")


def _legend(figure: Figure, convs: list[str]) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=CONV_COLOURS[c], linestyle="--" if c == "unbounded" else "-", label=c) for c in convs
    ]
    entries.append(
        Line2D([], [], color="#333333", label="published", marker="o", markersize=9, mfc="none", linestyle="none")
    )
    entries.append(Line2D([], [], color="#333333", linestyle=":", linewidth=0.9, label="ceiling, fresh images"))
    figure.legend(handles=entries, loc="outside lower center", ncols=3 * len(figure.axes), frameon=False)


def _keys(wide: pandas.DataFrame) -> list[tuple]:
    return [key if isinstance(key, tuple) else (key,) for key in wide.index]


def _published(rows: pandas.DataFrame, side: str) -> str:
    """The published value of one type, and which of our protocols agrees with it."""
    name = f"published_{side}"
    verdicts = [
        f"{row['protocol']} {row[f'{name}_verdict']}" for row in rows.to_dict("records") if row[f"{name}_verdict"]
    ]
    return ": ".join(
        part for part in (said({**rows.iloc[0], f"{name}_verdict": ""}, name), ", ".join(verdicts)) if part
    )
