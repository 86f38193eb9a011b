"""From an experiment's runs in MLflow to its table and figure: its own, or the general ones.

An artefact is a module, or any object, with TITLE, UNITS, COMMAND (that makes its runs), NEEDS (metrics without which
a run is no cell), `table(frame)`, `shown(table)` for people, `figure(table, runs)`, and perhaps `animation(runs)` and
MORE: further tables of the same runs by name, each with TITLE, UNITS, `table`, `shown` and perhaps `figure`; and
`pages(runs)`, further pages of the site (sweeps/pages.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps import records
from sweeps.general import artefact
from sweeps.published import tally
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
        others: the usable runs of another experiment of the same store, by its name; None where they are not to be had.
    """

    frame: pandas.DataFrame
    file: Callable[[str, str], bytes | None]
    others: Callable[[str], pandas.DataFrame] | None = None


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
    whole = mirror.read(experiment)
    frame = usable(whole, drawn)
    if len(frame) < len(whole):
        print(f"left out: {len(whole) - len(frame)} runs that lack one of {', '.join(drawn.NEEDS)}", file=sys.stderr)
    if not len(frame):
        print(f"no runs yet; for example: {drawn.COMMAND}", file=sys.stderr)
        return 1
    runs = Runs(frame, mirror.artifact, lambda other: usable(mirror.read(other), artefact(other)))
    table = drawn.table(frame)
    print(formatted(drawn, table, form), end="")
    written = [_files(drawn, table, runs, results / experiment)]
    for name, part in getattr(drawn, "MORE", {}).items():
        further = part.table(frame)
        if len(further):
            if form == "text":
                print(f"\n{formatted(part, further, form)}", end="")
            written.append(_files(part, further, runs, results / f"{experiment}_{name}"))
    if form == "text":
        print("\n" + "\n".join(f"written: {line}" for line in written))
    return 0


def _files(drawn: Any, table: pandas.DataFrame, runs: Runs, base: Path) -> str:
    """Writes a table and what is drawn of it; gives their names.

    Args:
        drawn: an artefact, or one of its further tables.
        table: its table.
        runs: what it is of.
        base: of the files, without suffix.
    """
    contents = {suffix: formatted(drawn, table, form).encode() for form, suffix in SUFFIXES.items()}
    animation = drawn.animation(runs) if hasattr(drawn, "animation") else None
    contents |= {"gif": animation} if animation else {}
    for suffix, content in contents.items():
        records.write(base.with_name(f"{base.name}.{suffix}"), content)
    figure = drawn.figure(table, runs) if hasattr(drawn, "figure") else None
    drawings = ("png", "svg") if figure is not None else ()
    for suffix in drawings:
        figure.savefig(base.with_name(f"{base.name}.{suffix}"), dpi=160)  # type: ignore[union-attr]
    return f"{base}" + ", ".join(f".{suffix}" for suffix in (*contents, *drawings))


def usable(frame: pandas.DataFrame, drawn: Any) -> pandas.DataFrame:
    """The runs that have what an artefact needs."""
    return frame[frame.reindex(columns=[f"metrics.{name}" for name in drawn.NEEDS]).notna().all(axis=1)]


def formatted(drawn: Any, table: pandas.DataFrame, form: str) -> str:
    """The table as text, csv, markdown or LaTeX."""
    if form == "csv":
        return table.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    shown = drawn.shown(table)
    if form == "latex":
        return shown.to_latex(escape=True, multirow=False)
    if form == "md":
        return markdown(shown.reset_index())
    told = tally(table)
    return f"{drawn.TITLE}\n{drawn.UNITS}\n" + (f"{told}\n" if told else "") + f"\n{shown.to_string()}\n"


def markdown(table: pandas.DataFrame) -> str:
    """A table in GitHub's markdown."""
    names = [" ".join(filter(None, c)) if isinstance(c, tuple) else str(c) for c in table.columns]
    lines = [names, ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
