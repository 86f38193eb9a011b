"""Leak distances of networks with frozen random weights, for the atlas."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from equivariance.atlas.cap import Cap, Overtime
from equivariance.atlas.gather import CONVOLUTIONAL
from equivariance.atlas.table import PICTURES, Rows, written
from equivariance.config.data import Pictures
from equivariance.data import load_pictures
from equivariance.errors import NotFinite, UserError, reason
from equivariance.library import leak_distance, with_conv
from equivariance.models.whole import whole
from sweeps.terminal import track

CONVS = ("same", "full", "unbounded")
SIDE = 56
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SECONDS = 300.0  # of one processor core, for one network; most take 10 to 30


def measured(rows: Rows, count: int, only: str, out: Path) -> None:
    """Adds leak distances, in pixels, of networks that have none yet: the smallest of each family, then all others.

    Args:
        rows: of the table; changed in place.
        count: how many networks.
        only: part of the names that are wanted.
        out: where the table is kept.
    """
    some = open_(rows, only)[:count]
    pictures = _pictures() if some else torch.empty(0)
    for row in track(some, len(some), "leak distances"):
        cap = Cap(SECONDS)
        for conv in CONVS:
            row[f"leak_{conv}"] = _distance(row, conv, pictures, cap)
        written(rows, out)


def open_(rows: Rows, only: str = "") -> list[dict[str, str]]:
    """The convolutional networks without leak distances, in the order in which they are measured.

    Args:
        rows: of the table.
        only: part of the names that are wanted.
    """
    small = sorted((r for r in rows.values() if r["kind"] == CONVOLUTIONAL), key=lambda row: int(row["parameters"]))
    firsts = {(row["library"], row["family"]): row["network"] for row in reversed(small)}
    wanted = [row for row in small if only in row["network"] and not row["leak_same"]]
    return sorted(wanted, key=lambda row: firsts[row["library"], row["family"]] != row["network"])


def _distance(row: dict[str, str], conv: str, pictures: torch.Tensor, cap: Cap) -> str:
    """In pixels, or why there is none."""
    torch.manual_seed(0)
    try:
        with cap():
            arch: Any = SimpleNamespace(library=row["library"], name=row["network"])
            net = whole(arch, hollow=False)
            return str(leak_distance(net if conv == "same" else with_conv(net, conv), pictures).pixels)
    except (UserError, NotFinite) as error:
        return f"none: {reason(error)}"
    except Overtime:
        return f"none: {cap}"
    except Exception as error:  # other people's code: it may fail in any way
        return f"none: fails ({reason(error)})"


def _pictures() -> torch.Tensor:
    shared = {"root": None, "crop": 1.0, "resize": "antialias", "splits": "disjoint", "augment": "none", "seed": 0}
    config = Pictures(name="photos", pictures=PICTURES, **shared)  # type: ignore[arg-type]
    return load_pictures(config, SIDE).tensor("test", MEAN, STD)
