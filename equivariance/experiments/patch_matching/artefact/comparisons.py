"""Which convolution types are told apart from same, by descriptors of the same seeds, triplets and pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import ordered
from equivariance.experiments.patch_matching.artefact.variants import AXES, BASE, HEAD, TRIPLETS, same
from sweeps import tables, verdicts
from sweeps.verdicts import Planned

if TYPE_CHECKING:
    import pandas

TITLE = "Which descriptors are told apart from those of same convolution?"
UNITS = "FPR95, lower is better; " + verdicts.UNITS.format(family="the rows of one data set")
shown = verdicts.shown


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant and number of triplets: see `sweeps.verdicts.rows`."""
    import pandas as pd

    settings, found = tables.groups(frame, AXES)
    keys, cells = [*AXES, *settings], dict(found)
    planned: dict[tuple, list[Planned]] = {}
    for key in sorted(cells, key=lambda key: (ordered(key[1]), *map(str, key[2:3]), key[3])):
        row = dict(zip(keys, key, strict=True))
        base = same(row, keys, cells)
        if base is not None:
            names = {"conv": row["conv"], HEAD: row[HEAD], "less": BASE, "triplets": row[TRIPLETS]}
            family = tuple((k, row[k]) for k in ("data", *settings))
            found_here = verdicts.by_seed(_values(cells[key]), _values(base))
            planned.setdefault(family, []).append(Planned(names, found_here))
    rows = [row for family, all_ in planned.items() for row in verdicts.rows(dict(family), all_)]
    return pd.DataFrame(rows)


def _values(runs: pandas.DataFrame) -> dict[Any, float]:
    return dict(zip(runs["params.seed"], runs["metrics.fpr95"], strict=True))
