"""Which variants are told apart: full and unbounded from same, and from the controls of equal cost or equal map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from equivariance.experiments.data_efficiency.artefact.variants import BASE, Variant, families, find
from sweeps import verdicts
from sweeps.verdicts import Planned

if TYPE_CHECKING:
    import pandas

TITLE = "Is it better for its boundary, or for its cost?"
UNITS = verdicts.UNITS.format(family="the rows of one data set, network and placement")
# Each of these against each of those, where there are runs.
PLANNED = {
    ("full", "none"): (BASE, ("same", "margin"), ("same", "width"), ("full", "crop")),
    ("unbounded", "none"): (BASE, ("unbounded", "crop")),
}
shown = verdicts.shown


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a comparison and number of pictures: see `sweeps.verdicts.rows`."""
    import pandas as pd

    found = [row for family, variants in families(frame) for row in verdicts.rows(family, _planned(variants))]
    return pd.DataFrame(found)


def _planned(variants: list[Variant]) -> Iterator[Planned]:
    for one in variants:
        rivals = (find(variants, *rival, beside=one) for rival in PLANNED.get((one.conv, one.control), ()))
        for other in filter(None, rivals):
            for count in sorted(one.runs.keys() & other.runs.keys()):
                told = {"variant": one.name, "less": other.name, "pictures a class": count}
                yield Planned(told, verdicts.by_seed(one.accuracies(count), other.accuracies(count)))
