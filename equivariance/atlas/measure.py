"""Leak distances of networks with frozen weights, random or from files, for the atlas."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from equivariance.atlas.cap import Cap, Overtime
from equivariance.atlas.gather import CONVOLUTIONAL
from equivariance.atlas.table import PICTURES, Rows, written
from equivariance.config.data import Pictures
from equivariance.data import load_pictures
from equivariance.errors import NotFinite, UserError, reason
from equivariance.library import leak_distance, with_conv
from equivariance.models.weights import read_checkpoint
from equivariance.models.whole import whole
from sweeps.terminal import track

CONVS = ("same", "full", "unbounded")
WEIGHTS = (".pth", ".pt", ".safetensors")
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


def trained(rows: Rows, folder: Path, out: Path) -> None:
    """Adds leak distances, in pixels, of networks with the weights of files: the same pictures, one after another.

    Args:
        rows: of the table; changed in place.
        folder: of files of weights, each named as a network of torchvision in the table, what follows a `-` left out.
        out: where the table is kept.
    Raises: UserError: a file holds no weights of its network, or there is none of a network in the table.
    """
    names = {path.stem.partition("-")[0]: path for path in sorted(folder.iterdir()) if path.suffix in WEIGHTS}
    some = [row for row in rows.values() if row["library"] == "torchvision" and row["network"] in names]
    if not some:
        raise UserError(f"--weights {folder}: allowed: a folder of NAME.pth, where NAME is a network in the table")
    pictures = _pictures()
    for row in track(some, len(some), "leak distances, trained"):
        path, cap = names[row["network"]], Cap(SECONDS)
        _network(row, path)  # a wrong file is refused, not a row
        for conv in CONVS:
            row[f"trained_{conv}"] = _distance(row, conv, pictures, cap, path)
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


def _network(row: dict[str, str], weights: Path | None = None) -> nn.Module:
    arch: Any = SimpleNamespace(library=row["library"], name=row["network"])
    net = whole(arch, hollow=False)
    if weights:
        net.load_state_dict(read_checkpoint(net, weights))
    return net


def _distance(row: dict[str, str], conv: str, pictures: torch.Tensor, cap: Cap, weights: Path | None = None) -> str:
    """In pixels, or why there is none."""
    torch.manual_seed(0)
    try:
        with cap():
            net = _network(row, weights)
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
