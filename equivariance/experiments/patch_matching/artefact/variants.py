"""What a row of the patch-matching tables is, and which runs under `same` it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas

HEAD, TRIPLETS, BASE = "experiment.head", "experiment.triplets", "same"
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))
AXES = ["data", "conv", HEAD, TRIPLETS]
ALIKE = ("max", "flat", "whole")  # heads that are one and the same on the published map of 8×8
HEADS = {"flat": "-", "max": "--", "whole": "-.", "global": ":"}


def as_published(row: dict[str, Any], seeds: pandas.DataFrame) -> bool:
    """Whether a cell has the published descriptor, of all outputs of the last layer, and the published training set."""
    trained = seeds.get("params.data.train", None)
    flat = row[HEAD] == "flat" or (row["conv"] == BASE and row[HEAD] in ALIKE)
    return flat and (trained is None or bool((trained == "yosemite").all()))


def same(row: dict[str, Any], keys: list[str], cells: dict[tuple, pandas.DataFrame]) -> pandas.DataFrame | None:
    """The runs under `same` that a cell is compared with: of its head, or of another that is the same under `same`."""
    heads = () if row["conv"] == BASE else (row[HEAD],) if row[HEAD] not in ALIKE else (row[HEAD], *ALIKE)
    wanted = ([{**row, "conv": BASE, HEAD: head}[key] for key in keys] for head in heads)
    return next((cells[tuple(key)] for key in wanted if tuple(key) in cells), None)
