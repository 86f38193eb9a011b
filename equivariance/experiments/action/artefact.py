"""Action recognition: accuracy of clips and videos, the gap between training and test, and what changes it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import CONV_COLOURS, ordered
from sweeps import comparisons, published, tables
from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Action recognition: do videos need fewer examples, and is there less overfitting, without a boundary?"
UNITS = (
    "in %, mean ± std [95 % interval over seeds, of clips tested on over these too] (seeds);"
    " gap: clips trained on less clips tested on, in points;"
    " less same: paired by seed [95 % interval], p by sign test; published: one run each, tested by the test loss"
)
COMMAND = "python -m equivariance.run -m +sweep=action"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "video_accuracy", "train_accuracy", "gap", "gmacs")
AXES = ["data", "arch", "conv", "conv.axes"]
BASE = "same"
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))
THEIRS = {"published": "accuracy", "published_gap": "gap"}  # by column
COMPARED = ("accuracy", "gap")
STYLES = {"space": "-", "space+time": "--"}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant: AXES, what else differs, n; <metric>_mean, _std, _low, _high, in percent but for gmacs; for
    accuracy and gap less_same_<metric>, _low, _high, _p over the seeds that `same` has too; published, published_gap.
    """
    found = tables.summaries(frame, AXES, dict.fromkeys(NEEDS[:-1], 100.0) | {"gmacs": 1.0})
    scaled = frame.assign(**{f"metrics.{name}": 100 * frame[f"metrics.{name}"] for name in COMPARED})
    settings, groups = tables.groups(scaled, AXES)
    cells, keys = dict(groups), [*AXES, *settings]
    compared = [_less_same(dict(zip(keys, key, strict=True)), runs, keys, cells) for key, runs in cells.items()]
    for column in compared[0]:
        found[column] = [row[column] for row in compared]
    for column, metric in THEIRS.items():
        found = PUBLISHED.beside(found, metric, column, (f"{metric}_low", f"{metric}_high"))
    by = ["data", "arch", *settings, "conv", "conv.axes"]
    return found.sort_values(by, key=lambda c: c.map(ordered) if c.name == "conv" else c, ignore_index=True)


def _less_same(row: dict[str, Any], runs: pandas.DataFrame, keys: list[str], cells: dict) -> dict[str, float]:
    """Of a variant and `same`, which has no axes of its own, over the seeds that both have."""
    wanted = [{**row, "conv": BASE, "conv.axes": axes} for axes in STYLES]
    base = next((cells[key] for one in wanted if (key := tuple(one[k] for k in keys)) in cells), None)
    found: dict[str, float] = {}
    for metric in COMPARED:
        ours = runs.set_index("params.seed")[f"metrics.{metric}"]
        theirs = ours.iloc[:0] if base is None else base.set_index("params.seed")[f"metrics.{metric}"]
        common = ours.index.intersection(theirs.index) if row["conv"] != BASE else ours.index[:0]
        told = comparisons.paired(ours.loc[common].to_list(), theirs.loc[common].to_list())
        name = f"less_same_{metric}"
        found |= {name: told.mean, f"{name}_low": told.low, f"{name}_high": told.high, f"{name}_p": told.sign}
    return found


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    rows = table.to_dict("records")
    said = table[keys].copy()
    said.loc[said["conv"] == BASE, "conv.axes"] = "-"
    for metric, name in (("accuracy", "clips"), ("video_accuracy", "videos"), ("train_accuracy", "trained on")):
        said[name] = [tables.summary(row, metric, ".1f") for row in rows]
    said["gap"] = [tables.summary(row, "gap", ".1f") for row in rows]
    for metric in COMPARED:
        said[f"{'clips' if metric == 'accuracy' else metric}, less same"] = [_difference(row, metric) for row in rows]
    for column in THEIRS:
        if table[column].notna().any():
            said[column.replace("_", " ")] = [published.said(row, column) for row in rows]
    said["10⁶ multiply-adds"] = (1000 * table["gmacs_mean"]).map("{:.0f}".format)
    return said.set_index(keys)


def _difference(row: dict[Any, Any], metric: str) -> str:
    name = f"less_same_{metric}"
    if row[name] != row[name]:
        return ""
    interval = f" [{row[f'{name}_low']:+.1f}, {row[f'{name}_high']:+.1f}]" if row["n"] > 1 else ""
    return f"{row[name]:+.1f}{interval} p={row[f'{name}_p']:.2g}"


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """Training curves: accuracy of training (thin) and validation clips by epoch, mean over seeds; and the gaps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    keys = list(table.columns[: list(table.columns).index("n")])
    told = [key for key in keys if key not in ("conv", "conv.axes") and table[key].nunique() > 1]
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
    """The boundary, and what else differs in the table."""
    boundary = row["conv"] + ("" if row["conv"] == BASE else f" in {row['conv.axes']}")
    return ", ".join([boundary, *(str(row[key]) for key in told)])


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
