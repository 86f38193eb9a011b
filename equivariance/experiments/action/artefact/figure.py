"""Training curves, and how much better each network does on what it was trained on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from equivariance.experiments.action.artefact.variants import AXES, CONTROL, named
from equivariance.experiments.looks import CONV_COLOURS, ordered
from sweeps import tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

STYLES = {"space": "-", "space+time": "--"}


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """Training curves: accuracy of training (thin) and validation clips by epoch, mean over seeds; and the gaps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    keys = list(table.columns[: list(table.columns).index("n")])
    told = [key for key in keys if key not in ("conv", "conv.axes", CONTROL) and table[key].nunique() > 1]
    for key, curves in _curves(runs).items():
        look = dict(zip(keys, key, strict=True))
        colour, style = CONV_COLOURS.get(look["conv"], "#666666"), STYLES[look["conv.axes"]]
        mean = curves.groupby("epoch")[["train_accuracy", "validation_accuracy"]].mean() * 100
        left.plot(mean.index, mean["train_accuracy"], style, color=colour, linewidth=0.8)
        left.plot(mean.index, mean["validation_accuracy"], style, color=colour, linewidth=2, label=_name(look, told))
    left.set(xlabel="epoch", ylabel="accuracy (%), mean over seeds", title="training (thin) and validation clips")
    if left.lines:
        left.legend(frameon=False, fontsize="small")
    for number, row in enumerate(table.to_dict("records")):
        colour = CONV_COLOURS.get(row["conv"], "#666666")
        around = [[row["gap_mean"] - row["gap_low"]], [row["gap_high"] - row["gap_mean"]]]
        right.errorbar([number], [row["gap_mean"]], around, fmt="o", capsize=3, color=colour)
        if row["published_gap"] == row["published_gap"]:
            right.plot([number], [row["published_gap"]], "o", color=colour, markersize=9, markerfacecolor="none")
    names = [_name(row, told) for row in table.to_dict("records")]
    right.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize="small")
    right.set(title="gap, 95 % over seeds", ylabel="trained on less tested on (points)")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _name(row: dict[Any, Any], told: list[str]) -> str:
    """The boundary and its control, and what else differs in the table."""
    others = [f"{key.rpartition('.')[2]}={row[key]}" if "." in key else str(row[key]) for key in told]
    return ", ".join([named(row["conv"], row["conv.axes"], row.get(CONTROL, "none")), *others])


def _curves(runs: Runs) -> dict[tuple, pandas.DataFrame]:
    """The histories of all runs of a row of the table, one below the other."""
    import pandas as pd

    found: dict[tuple, pandas.DataFrame] = {}
    _, groups = tables.groups(runs.frame, AXES)
    for key, seeds in sorted(groups, key=lambda group: (ordered(group[0][2]), str(group[0]))):
        contents = [runs.file(run, "curve.csv") for run in seeds["run_id"]]
        read = [pd.read_csv(io.BytesIO(content)) for content in contents if content is not None]
        if read:
            found[key] = pd.concat(read)
    return found
