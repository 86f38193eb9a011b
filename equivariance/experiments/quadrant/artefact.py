"""The paper's figure 3: accuracy by architecture, initialisation and border, full convolution beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.experiments.borders import border_panels
from equivariance.experiments.location.earlier import completed
from sweeps import tables
from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Can a network tell where a picture lies, and how far from the boundary?"
UNITS = "accuracy in %, mean ± std [95 % interval over seeds and test pictures] (seeds)"
COMMAND = "python -m equivariance.run -m border=0,16,32,64,128,256,512 conv=same,full"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "n")
AXES = ["arch", "init", "conv", "border"]
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a cell: AXES, what else differs, the columns of `tables.cells`, published (see `Reference.beside`)."""
    found = PUBLISHED.beside(tables.cells(completed(frame), AXES, "accuracy"), "accuracy")
    return found.sort_values([*AXES, *_settings(found)], ignore_index=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people: borders across."""
    return tables.pivot(table, ["arch", "init", *_settings(table), "conv"], "border", "accuracy")


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """Three panels, one an architecture."""
    return border_panels(table)


def _settings(table: pandas.DataFrame) -> list[str]:
    columns = list(table.columns)
    return columns[len(AXES) : columns.index("n")]
