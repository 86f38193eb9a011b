"""Action recognition: accuracy of clips and videos, the gap between training and test, and what changes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.experiments.action.artefact import comparisons, event
from equivariance.experiments.action.artefact.figure import figure
from equivariance.experiments.action.artefact.variants import AXES, BASE, CONTROL
from equivariance.experiments.looks import ordered
from sweeps import published, tables
from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas

__all__ = ["figure"]

TITLE = "Action recognition: do videos need fewer examples, and is there less overfitting, without a boundary?"
UNITS = (
    "in %, mean ± std [95 % interval over seeds, of clips tested on over these too] (seeds);"
    " gap: clips trained on less clips tested on, in points; published: one run each, tested by the test loss"
)
COMMAND = "python -m equivariance.run -m +sweep=action"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "video_accuracy", "train_accuracy", "gap", "gmacs")
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))
THEIRS = {"published": "accuracy", "published_gap": "gap"}  # by column
MORE = {"comparisons": comparisons, "event": event}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant: AXES, what else differs, n; <metric>_mean, _std, _low, _high, in percent but for gmacs;
    certified where some are; published, published_gap.
    """
    found = tables.summaries(frame, AXES, dict.fromkeys(NEEDS[:-1], 100.0) | {"gmacs": 1.0})
    settings = list(found.columns[len(AXES) : list(found.columns).index("n")])
    theirs = found[AXES].where(_plain(found), "controlled")  # nobody has published a controlled one
    for column, metric in THEIRS.items():
        found = PUBLISHED.beside(found, metric, column, (f"{metric}_low", f"{metric}_high"), theirs)
    by = ["data", "arch", *settings, "conv", "conv.axes"]
    return found.sort_values(by, key=_order, ignore_index=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    rows = table.to_dict("records")
    said = table[keys].copy()
    said.loc[(said["conv"] == BASE) & _plain(said), "conv.axes"] = "-"
    for metric, name in (("accuracy", "clips"), ("video_accuracy", "videos"), ("train_accuracy", "trained on")):
        said[name] = [tables.summary(row, metric, ".1f") for row in rows]
    said["gap"] = [tables.summary(row, "gap", ".1f") for row in rows]
    for column in THEIRS:
        if table[column].notna().any():
            said[column.replace("_", " ")] = [published.said(row, column) for row in rows]
    said["10⁶ multiply-adds"] = (1000 * table["gmacs_mean"]).map("{:.0f}".format)
    return said.set_index(keys)


def _order(column: pandas.Series) -> pandas.Series:
    """What a column is sorted by: numbers, which settings have as text, by their size."""
    import pandas as pd

    if column.name == "conv":
        return column.map(ordered)
    numbers = pd.to_numeric(column.replace("-", "-inf"), errors="coerce")
    return column if numbers.isna().any() else numbers


def _plain(table: pandas.DataFrame) -> pandas.Series:
    """Which rows are of runs without a control."""
    there = table[CONTROL] if CONTROL in table else table["conv"].map(lambda _: "none")
    return there.isin(("none", "-"))
