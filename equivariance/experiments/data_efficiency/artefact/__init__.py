"""The table and figure of the data-efficiency experiment: accuracy by boundary, control and pictures a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.data_efficiency.artefact import comparisons, factor
from equivariance.experiments.data_efficiency.artefact.figure import figure
from equivariance.experiments.data_efficiency.artefact.variants import (
    AXES,
    CONTROL,
    PER_CLASS,
    PUBLISHED,
    counted,
    named,
)
from sweeps import tables

if TYPE_CHECKING:
    import pandas

__all__ = ["figure"]

TITLE = "How accurate is it from few pictures, and is that the boundary or the cost?"
UNITS = (
    "accuracy in %, by pictures a class: mean ± std [95 % interval over seeds and test pictures] (seeds); published:"
    " ResNet-50 on ImageNet, one run each"
)
COMMAND = "python -m equivariance.run -m +sweep=data_efficiency"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "pictures", "classes", "gmacs", "parameters", "map", "updates", "n")
# Of ImageNet's training set a class has 1281 pictures on average; a run has fewer by its validation pictures.
ALL = 1281
MORE = {"comparisons": comparisons, "factor": factor}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant and number of pictures: AXES, what else differs, n; accuracy_mean, _std, low, high in percent,
    over; certified; the means of gmacs, parameters, map, updates; published.
    """
    more = ("gmacs", "parameters", "map", "updates", "all", "published")
    found = tables.cells(counted(frame), AXES, "accuracy", more)
    theirs = found[AXES].assign(data=found["data"].where(found["published"] == 1, ""))
    theirs[PER_CLASS] = found[PER_CLASS].mask(found["all"] == 1, ALL)
    return PUBLISHED.beside(found.drop(columns=["all", "published"]), "accuracy", settings=theirs)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people, pictures a class across."""
    settings = list(table.columns[len(AXES) : list(table.columns).index("n")])
    names = [named(conv, control) for conv, control in zip(table["conv"], table[CONTROL], strict=True)]
    cost = (1000 * table["gmacs"]).map("{:.3g}".format)
    told = table.assign(variant=names)
    told["10⁶ multiply-adds"] = cost
    rows = [*AXES[:3], *settings, "10⁶ multiply-adds", "variant"]
    return tables.pivot(told, rows, PER_CLASS, "accuracy")
