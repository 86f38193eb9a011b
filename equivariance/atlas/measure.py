"""Leak distances of networks with frozen random weights, for the atlas."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from equivariance.atlas.gather import CONVOLUTIONAL
from equivariance.atlas.table import Rows, written
from equivariance.config.data import Pictures
from equivariance.data import load_pictures
from equivariance.errors import NotFinite, UserError, reason
from equivariance.library import leak_distance, with_conv
from equivariance.models.whole import whole
from sweeps.terminal import track

CONVS = ("same", "full", "unbounded")
PICTURES, SIDE = 16, 56
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def measured(rows: Rows, count: int, only: str, out: Path) -> None:
    """Adds leak distances, in pixels, of the smallest networks that have none yet.

    Args:
        rows: of the table; changed in place.
        count: how many networks.
        only: part of the names that are wanted.
        out: where the table is kept.
    """
    open_ = [r for r in rows.values() if r["kind"] == CONVOLUTIONAL and only in r["network"] and not r["leak_same"]]
    some = sorted(open_, key=lambda row: int(row["parameters"]))[:count]
    pictures = _pictures()
    for row in track(some, len(some), "leak distances"):
        torch.manual_seed(0)
        net = whole(SimpleNamespace(library=row["library"], name=row["network"]), hollow=False)  # type: ignore[arg-type]
        for conv in CONVS:
            row[f"leak_{conv}"] = str(_distance(net if conv == "same" else with_conv(net, conv), pictures))
        written(rows, out)


def _distance(net: torch.nn.Module, pictures: torch.Tensor) -> Any:
    try:
        return leak_distance(net, pictures).pixels
    except (UserError, NotFinite) as error:
        return f"none: {reason(error)}"


def _pictures() -> torch.Tensor:
    shared = {"root": None, "crop": 1.0, "resize": "antialias", "splits": "disjoint", "augment": "none", "seed": 0}
    config = Pictures(name="photos", pictures=PICTURES, **shared)  # type: ignore[arg-type]
    return load_pictures(config, SIDE).tensor("test", MEAN, STD)
