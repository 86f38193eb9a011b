"""FPR95 against the number of triplets for each convolution type, and what it differs by from `same`, seed by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import ordered
from equivariance.experiments.patch_matching.artefact import comparisons
from equivariance.experiments.patch_matching.artefact.figure import figure
from equivariance.experiments.patch_matching.artefact.variants import (
    AXES,
    HEAD,
    HEADS,
    PUBLISHED,
    TRIPLETS,
    as_published,
    same,
)
from sweeps import intervals, published, tables

if TYPE_CHECKING:
    import pandas

__all__ = ["figure"]

TITLE = "Patch matching: how many triplets does a descriptor need, with and without a boundary?"
UNITS = (
    "FPR95 in %, lower is better: mean ± std [95 % interval over seeds and test points] (seeds); published: PhotoTour,"
    " one run each, full with 6272 numbers a patch; difference from same: paired by seed and point"
)
COMMAND = "python -m equivariance.run -m +sweep=patch_matching"
# Metrics without which a run is no cell of the table.
NEEDS = ("fpr95", "descriptor", "parameters", "gmacs", "n")
MORE = {"comparisons": comparisons}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant, FPR95 in percent, beside `same` of the same seeds, and the published values.

    Its columns are AXES, what else differs, n; fpr95_mean, _std, _low, _high, over; descriptor, parameters, gmacs;
    difference, difference_low, difference_high; published, published_difference.
    """
    import pandas as pd

    settings, found = tables.groups(frame, AXES)
    keys = [*AXES, *settings]
    cells = dict(found)
    rows = []
    for key, seeds in cells.items():
        row = dict(zip(keys, key, strict=True)) | {"n": len(seeds)} | _level(seeds)
        row |= {name: seeds[f"metrics.{name}"].mean() for name in ("descriptor", "parameters", "gmacs")}
        row |= _difference(seeds, same(row, keys, cells)) | {"published": as_published(row, seeds)}
        rows.append(row)
    whole = pd.DataFrame(rows)
    theirs = whole[AXES].assign(data=whole["data"].where(whole.pop("published"), ""))
    ends = ("difference_low", "difference_high")
    whole = PUBLISHED.beside(whole, "fpr95", ends=("fpr95_low", "fpr95_high"), settings=theirs)
    whole = PUBLISHED.beside(whole, "difference", "published_difference", ends, theirs)
    places = {"conv": ordered, HEAD: lambda head: list(HEADS).index(head)}
    by = ["data", *settings, "conv", HEAD, TRIPLETS]
    return whole.sort_values(by, key=lambda c: c.map(places[c.name]) if c.name in places else c, ignore_index=True)


def _level(seeds: pandas.DataFrame) -> dict[str, Any]:
    values = 100 * seeds["metrics.fpr95"]
    low, high, over = intervals.of_redrawn(values.to_list(), _redrawn(seeds), int(seeds["metrics.n"].iloc[0]))
    spread = {"fpr95_mean": values.mean(), "fpr95_std": values.std()}
    return spread | {"fpr95_low": max(0.0, low), "fpr95_high": min(100.0, high), "over": over}


def _redrawn(seeds: pandas.DataFrame) -> list[list[float] | None]:
    records = seeds["redrawn"] if "redrawn" in seeds else [None] * len(seeds)
    found = [record.get("fpr95") if isinstance(record, dict) else None for record in records]
    return [[100 * value for value in one] if one else None for one in found]


def _difference(seeds: pandas.DataFrame, base: pandas.DataFrame | None) -> dict[str, float]:
    """Over the seeds that both have; drawn anew, points are the same in both."""
    nothing = dict.fromkeys(("difference", "difference_low", "difference_high"), float("nan"))
    if base is None:
        return nothing
    ours, theirs = (runs.set_index("params.seed") for runs in (seeds, base))
    common = ours.index.intersection(theirs.index)
    ours, theirs = ours.loc[common], theirs.loc[common]
    if not len(common):
        return nothing
    values = (100 * (ours["metrics.fpr95"] - theirs["metrics.fpr95"])).to_list()
    both = zip(_redrawn(ours), _redrawn(theirs), strict=True)
    anew = [[a - b for a, b in zip(one, other, strict=True)] if one and other else None for one, other in both]
    low, high, _ = intervals.of_redrawn(values, anew, int(ours["metrics.n"].iloc[0]))
    return {"difference": sum(values) / len(values), "difference_low": low, "difference_high": high}


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    rows = table.to_dict("records")
    said = table[keys].copy()
    said["FPR95"] = [_said_level(row) for row in rows]
    said["less same"] = [_said_difference(row) for row in rows]
    if table["published"].notna().any():
        said["published"] = [published.said(row) for row in rows]
        said["published, less same"] = [published.said(row, "published_difference") for row in rows]
    said["numbers"] = table["descriptor"].map("{:.0f}".format)
    said["parameters"] = table["parameters"].map("{:.0f}".format)
    said["10⁶ multiply-adds"] = (1000 * table["gmacs"]).map("{:.0f}".format)
    return said.set_index(keys)


def _said_level(row: dict[Any, Any]) -> str:
    alone = row["n"] == 1
    spread, counted = ("", "1, points alone") if alone else (f" ± {row['fpr95_std']:.1f}", f"{row['n']:.0f}")
    return f"{row['fpr95_mean']:.1f}{spread} [{row['fpr95_low']:.1f}, {row['fpr95_high']:.1f}] ({counted})"


def _said_difference(row: dict[Any, Any]) -> str:
    if row["difference"] != row["difference"]:
        return ""
    return f"{row['difference']:+.1f} [{row['difference_low']:+.1f}, {row['difference_high']:+.1f}]"
