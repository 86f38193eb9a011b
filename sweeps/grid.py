"""The grid of a sweep file: which cells it has, and which of them have a finished run."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from sweeps.cells import Cell, Cells
from sweeps.identity import flat
from sweeps.records import finished


def _package() -> Path:
    """The science, found without importing it."""
    spec = importlib.util.find_spec("equivariance")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def conf_dir() -> Path:
    """The config tree."""
    package = _package()
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def has_sweep(name: str) -> bool:
    """Whether there is a file conf/sweep/<name>.yaml."""
    return (conf_dir() / "sweep" / f"{name}.yaml").is_file()


def axes(name: str) -> dict[str, list[str]]:
    """The axes of conf/sweep/<name>.yaml and their values, as text."""
    sweep = yaml.safe_load((conf_dir() / "sweep" / f"{name}.yaml").read_text())
    params = sweep["hydra"]["sweeper"]["params"]
    return {key: [v.strip() for v in str(values).split(",")] for key, values in params.items()}


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Args:
        done: cells whose run the sweep would reuse.
        others: cells that only have runs with other settings.
        total: cells.
        left: seconds that the others take one after another, each as long as the finished ones did on average; None
            where none has finished.
    """

    done: int
    others: int
    total: int
    left: float | None


def progress(name: str, experiment: str, runs: Path) -> Progress:
    """How far a sweep is: of a cell that is done the run's config equals the sweep's in all that decides numbers.

    Args:
        name: of the sweep file.
        experiment: whose runs count.
        runs: folder of the run directories.
    """
    grid = axes(name)
    cells = set(product(*grid.values()))
    found: dict[Cell, dict[str, float]] = {}
    for record, result in finished(runs, experiment):
        cell = _cell(result, list(grid))
        if cell in cells:
            found.setdefault(cell, {})[record.identity] = result["ended"] - result["began"]
    sources = (conf_dir(), _package())
    wanted = Cells(name, grid, sources, runs / ".sweeps" / f"{name}.json").identities(found)
    here = [found[cell][identity] for cell, identity in wanted.items() if identity in found[cell]]
    left = fmean(here) * (len(cells) - len(here)) if here else None
    return Progress(len(here), len(found) - len(here), len(cells), left)


def _cell(result: dict[str, Any], keys: list[str]) -> Cell:
    values = flat(result["config"])
    return tuple(str(values.get(key)) for key in keys)
