"""The grid of a sweep file: which cells it has, and which of them have a finished run."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from sweeps.identity import flat
from sweeps.records import finished

Cell = tuple[str, ...]


def conf_dir() -> Path:
    """The config tree, found without importing the science."""
    spec = importlib.util.find_spec("equivariance")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def axes(name: str) -> dict[str, list[str]]:
    """The axes of conf/sweep/<name>.yaml and their values, as text."""
    sweep = yaml.safe_load((conf_dir() / "sweep" / f"{name}.yaml").read_text())
    params = sweep["hydra"]["sweeper"]["params"]
    return {key: [v.strip() for v in str(values).split(",")] for key, values in params.items()}


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Args:
        done: cells with a finished run.
        total: cells.
        left: seconds that the others take one after another, each as long as the finished ones did on average; None
            where none has finished.
    """

    done: int
    total: int
    left: float | None


def progress(name: str, experiment: str, runs: Path) -> Progress:
    """How far a sweep is, by the values of its axes alone.

    Args:
        name: of the sweep file.
        experiment: whose runs count.
        runs: folder of the run directories.
    """
    grid = axes(name)
    cells = set(product(*grid.values()))
    taken = {_cell(result, list(grid)): result["ended"] - result["began"] for _, result in finished(runs, experiment)}
    here = [seconds for cell, seconds in taken.items() if cell in cells]
    return Progress(len(here), len(cells), fmean(here) * (len(cells) - len(here)) if here else None)


def _cell(result: dict[str, Any], keys: list[str]) -> Cell:
    values = flat(result["config"])
    return tuple(str(values.get(key)) for key in keys)
