"""Whether a network tells an event early in blank time from late, by the border of more blank time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.borders import border_panels
from equivariance.experiments.looks import ordered
from sweeps import tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Can it tell early from late, and how far from the first and the last frame?"
UNITS = "accuracy of clips in %, by border in frames: mean ± std [95 % interval over seeds and clips] (seeds)"
AXES = ["arch", "init", "conv", "border"]


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a cell of the runs with `data.event=class`: AXES, what else differs, the columns of `tables.cells`; no
    rows where there are no such runs.
    """
    asked = frame.get("params.data.event", default=frame["params.data"]) == "class"
    some = frame[asked]
    if not len(some):
        return some
    some = some.assign(**{"params.border": some["params.data.border"]}).drop(columns="params.data.border")
    if some["params.conv.axes"].nunique() > 1:  # a panel each
        some = some.assign(**{"params.arch": some["params.arch"] + ", " + some["params.conv.axes"]})
    found = tables.cells(some, AXES, "accuracy").assign(published=float("nan"))
    return found.sort_values(AXES, key=lambda c: c.map(ordered) if c.name == "conv" else c, ignore_index=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people: borders across."""
    columns = list(table.columns)
    settings = columns[len(AXES) : columns.index("n")]
    return tables.pivot(table, ["arch", *settings, "conv"], "border", "accuracy")


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """A panel a network, and the axes that its boundaries are about; a line each boundary."""
    return border_panels(table, unit="frames")
