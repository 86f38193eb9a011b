"""From an experiment's runs in MLflow to its table and figure: its own, or the general ones.

An artefact is a module, or any object, with TITLE, UNITS, COMMAND (that makes its runs), NEEDS (metrics without which
a run is no cell), `table(frame)`, `shown(table)` for people, `figure(table, runs)`, and perhaps `animation(runs)`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps import records
from sweeps.general import artefact
from sweeps.tracking.mirror import Mirror

if TYPE_CHECKING:
    import pandas

FORMATS = ("text", "csv", "md", "latex")
SUFFIXES = {"csv": "csv", "md": "md", "latex": "tex"}


@dataclass(frozen=True)
class Runs:
    """The runs of an experiment.

    Args:
        frame: a row a run, see `sweeps.tracking.reading.frame`.
        file: an artifact of a run, by its `run_id` and the file's name; None where it has none.
    """

    frame: pandas.DataFrame
    file: Callable[[str, str], bytes | None]


def write(experiment: str, mirror: Mirror, results: Path, form: str) -> int:
    """Prints an experiment's table and writes table and figure.

    Args:
        experiment: its name.
        mirror: the store of its runs.
        results: folder for the files.
        form: one of FORMATS, of what is printed.
    Returns: an exit code.
    """
    drawn = artefact(experiment)
    frame = mirror.read(experiment)
    frame = _with(frame, [f"metrics.{name}" for name in drawn.NEEDS])
    if not len(frame):
        print(f"no runs yet; for example: {drawn.COMMAND}", file=sys.stderr)
        return 1
    runs, table = Runs(frame, mirror.artifact), drawn.table(frame)
    print(formatted(drawn, table, form), end="")
    for other, suffix in SUFFIXES.items():
        records.write(results / f"{experiment}.{suffix}", formatted(drawn, table, other).encode())
    figure = drawn.figure(table, runs)
    for suffix in ("png", "svg"):
        figure.savefig(results / f"{experiment}.{suffix}", dpi=160)
    animation = drawn.animation(runs) if hasattr(drawn, "animation") else None
    if animation:
        records.write(results / f"{experiment}.gif", animation)
    if form == "text":
        moving = ", .gif" if animation else ""
        print(f"\nwritten: {results}/{experiment}.csv, .md, .tex, .png, .svg{moving}")
    return 0


def _with(frame: pandas.DataFrame, needed: list[str]) -> pandas.DataFrame:
    """The runs that have what a table needs; says how many have not."""
    whole = frame.reindex(columns=needed).notna().all(axis=1)
    if not whole.all():
        names = ", ".join(name.removeprefix("metrics.") for name in needed)
        print(f"left out: {(~whole).sum()} runs that lack one of {names}", file=sys.stderr)
    return frame[whole]


def formatted(drawn: Any, table: pandas.DataFrame, form: str) -> str:
    """The table as text, csv, markdown or LaTeX."""
    if form == "csv":
        return table.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    shown = drawn.shown(table)
    if form == "latex":
        return shown.to_latex(escape=True, multirow=False)
    if form == "md":
        return markdown(shown.reset_index())
    return f"{drawn.TITLE}\n{drawn.UNITS}\n\n{shown.to_string()}\n"


def markdown(table: pandas.DataFrame) -> str:
    """A table in GitHub's markdown."""
    names = [" ".join(filter(None, c)) if isinstance(c, tuple) else str(c) for c in table.columns]
    lines = [names, ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
