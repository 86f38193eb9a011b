"""The table and figure of the shift experiment: accuracy and consistency by boundary and sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.looks import CONV_COLOURS, ordered
from equivariance.experiments.shift.artefact import comparisons, diagonal, leaks
from equivariance.experiments.shift.artefact.variants import AXES, PUBLISHED, SAMPLINGS
from sweeps import published, tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Does a prediction stay the same when the object moves?"
UNITS = (
    "in %, mean ± std [95 % interval over seeds and test pictures] (seeds);"
    " published: crops of photographs, another task"
)
COMMAND = "python -m equivariance.run -m +sweep=shift"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "accuracy_moved", "consistency", "one_pixel", "one_pixel_worst", "circular")
MORE = {"comparisons": comparisons, "leaks": leaks, "diagonal": diagonal}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant, in percent: AXES, what else differs, n, then <metric>_mean, _std, _low, _high; published."""
    found = tables.summaries(frame, AXES, dict.fromkeys(NEEDS, 100.0))
    ends = [c for metric in NEEDS for c in (f"{metric}_low", f"{metric}_high")]
    found[ends] = found[ends].clip(0, 100)  # Student's knows of no bounds
    found = PUBLISHED.beside(found, "consistency", ends=None)
    order = found["conv"].map(ordered) * len(SAMPLINGS) + found["downsample"].map(SAMPLINGS.index)
    return found.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[keys].copy()
    for metric in NEEDS:
        rows = table.to_dict("records")
        said[metric.replace("_", " ")] = [tables.summary(row, metric, ".1f") for row in rows]
    if table["published"].notna().any():
        said["consistency, published"] = [published.said(row) for row in table.to_dict("records")]
    return said.set_index(keys)


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """Accuracy where it was trained, and consistency where it was not, by sampling, a colour a boundary."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True)
    present = [s for s in SAMPLINGS if s in set(table["downsample"])]
    convs = sorted(set(table["conv"]), key=ordered)
    for axis, metric in zip(axes, ("accuracy", "consistency"), strict=True):
        for number, conv in enumerate(convs):
            rows = table[table["conv"] == conv].drop_duplicates("downsample").set_index("downsample")
            here = [s for s in present if s in rows.index]
            x = [present.index(s) + (number - (len(convs) - 1) / 2) * 0.12 for s in here]
            mean = rows.loc[here, f"{metric}_mean"]
            around = [mean - rows.loc[here, f"{metric}_low"], rows.loc[here, f"{metric}_high"] - mean]
            colour = CONV_COLOURS.get(conv, "#666666")
            axis.errorbar(x, mean, around, fmt="o", capsize=3, color=colour, label=conv)
            if metric == "consistency":
                axis.plot(x, rows.loc[here, "published"], "o", color=colour, markersize=9, markerfacecolor="none")
        axis.set(
            title=metric,
            xticks=range(len(present)),
            xticklabels=present,
            xlim=(-0.5, len(present) - 0.5),
            ylim=(0, 103),
        )
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("% of test pictures, 95 % interval")
    entries, labels = axes[1].get_legend_handles_labels()
    if table["published"].notna().any():
        entries.append(Line2D([], [], color="#333333", marker="o", markersize=9, mfc="none", linestyle="none"))
        labels.append("published")
    figure.legend(entries, labels, loc="outside right center", frameon=False, title="boundary")
    return figure
