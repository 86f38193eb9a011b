"""Which variants are told apart: full and unbounded from same, and from the controls of equal cost or equal map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from equivariance.experiments.action.artefact.variants import BASE, Variant, families, find
from sweeps import verdicts
from sweeps.verdicts import Planned

if TYPE_CHECKING:
    import pandas

TITLE = "Is it better, and does it overfit less, for its boundary or for its cost?"
UNITS = verdicts.UNITS.format(family="the rows of the same videos and network") + "; gap: trained on less tested on"
METRICS = ("accuracy", "gap")
shown = verdicts.shown


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a comparison and metric: see `sweeps.verdicts.rows`."""
    import pandas as pd

    found = [row for family, variants in families(frame) for row in verdicts.rows(family, _planned(variants))]
    return pd.DataFrame(found)


def _planned(variants: list[Variant]) -> Iterator[Planned]:
    """Each boundary without control against what it is controlled by, where there are runs."""
    for one in variants:
        if one.conv == BASE or one.control != "none":
            continue
        rivals = [(BASE, "none"), (BASE, "margin"), (BASE, "width"), (one.conv, "crop")]
        there = (find(variants, *rival, axes=one.axes) for rival in rivals)
        for other in filter(None, there):
            for metric in METRICS:
                names = {"metric": metric, "variant": one.name, "less": other.name}
                yield Planned(names, verdicts.by_seed(one.values(metric), other.values(metric)))
