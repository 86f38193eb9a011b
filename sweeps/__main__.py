"""python -m sweeps: every paper artefact, its runs done and to do; one artefact's table and figure; sync; ui."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sweeps import grid, records
from sweeps.addresses import guard
from sweeps.launcher.display import abandon, clock
from sweeps.tracking.mirror import Mirror, sync
from sweeps.tracking.store import failures

if TYPE_CHECKING:
    import pandas

ARTEFACTS = ("quadrant", "leak_distance", "impulse", "rook", "red_green")
FORMATS = ("text", "csv", "md", "latex")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    options = _options().parse_args(arguments)
    if options.runs.exists() and not options.runs.is_dir():
        print(f"error: --runs={options.runs}: not a folder", file=sys.stderr)
        return 2
    if options.artefact is None:
        return status(options.runs)
    mirror = Mirror(options.uri)
    try:
        if options.artefact == "sync":
            logged, total = sync(options.runs, mirror)
            print(f"{total} finished runs, {logged} logged now to {mirror.uri}")
            return 0
        if options.artefact == "ui":
            from sweeps.tracking.store import Store
            from sweeps.ui import ui

            sync(options.runs, mirror)
            return ui(Store(options.uri))
        return artefact(_module(options.artefact), options, mirror)
    except BrokenPipeError:
        raise
    except failures() as error:
        reason = (str(error).splitlines() or [""])[0][:160]
        print(f"error: MLflow at {mirror.uri} cannot be read ({reason}); the runs are safe in {options.runs}/",
              file=sys.stderr)  # fmt: skip
        return 1
    except OSError as error:  # a folder of results that cannot be written, say
        print(f"error: {' '.join(str(error).split())[:300]}", file=sys.stderr)
        return 1


def status(runs: Path) -> int:
    """Prints each artefact with its cells done and what the others will take; a cell is done as its sweep has it."""
    for name in ARTEFACTS:
        there = grid.progress(name, _module(name).EXPERIMENT, runs)
        left = f"{clock(there.left)} of computing left" if there.left else ""
        left = left or (f"{there.others} with other settings" if there.others else "")
        command = f"python -m equivariance.run -m +sweep={name}"
        cells = f"{there.done} of {there.total} cells done"
        print(f"{name:13} {cells:>22}   {left:30} {command}")
    others = sum(1 for _ in records.finished(runs))
    print(f"{others} finished runs in {runs}/")
    return 0


def artefact(module: ModuleType, options: argparse.Namespace, mirror: Mirror) -> int:
    """Prints an artefact's table and writes table and figure under the results folder."""
    sync(options.runs, mirror, module.EXPERIMENT)
    frame = mirror.read(module.EXPERIMENT)
    if len(frame):  # the store may hold runs of other folders, and of directories that are gone
        finished = records.finished(options.runs, module.EXPERIMENT)
        here = {record.identity: result.get("right") for record, result in finished}
        frame = frame[frame["tags.identity"].isin(here)]
        frame = frame.assign(right=frame["tags.identity"].map(here))
    frame = _with(frame, [f"metrics.{name}" for name in module.NEEDS])
    if not len(frame):
        print(f"no runs yet; for example: {module.COMMAND}", file=sys.stderr)
        return 1
    table = module.table(frame)
    print(formatted(module, table, options.format), end="")
    folder = options.results
    for form, suffix in (("csv", "csv"), ("md", "md"), ("latex", "tex")):
        records.write(folder / f"{options.artefact}.{suffix}", formatted(module, table, form).encode())
    figure = module.figure(table, options.runs)
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"{options.artefact}.{suffix}", dpi=160)
    animation = module.animation(options.runs) if hasattr(module, "animation") else None
    if animation:
        records.write(folder / f"{options.artefact}.gif", animation)
    if options.format == "text":
        moving = ", .gif" if animation else ""
        print(f"\nwritten: {folder}/{options.artefact}.csv, .md, .tex, .png, .svg{moving}")
    return 0


def _with(frame: pandas.DataFrame, needed: list[str]) -> pandas.DataFrame:
    """The runs that have what a table needs; says how many have not."""
    whole = frame.reindex(columns=needed).notna().all(axis=1)
    if not whole.all():
        names = ", ".join(name.removeprefix("metrics.") for name in needed)
        print(f"left out: {(~whole).sum()} runs that lack one of {names}", file=sys.stderr)
    return frame[whole]


def formatted(module: ModuleType, table: pandas.DataFrame, form: str) -> str:
    """The table as text, csv, markdown or LaTeX."""
    if form == "csv":
        return table.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    shown = module.shown(table)
    if form == "latex":
        return shown.to_latex(escape=True, multirow=False)
    if form == "md":
        return markdown(shown.reset_index())
    return f"{module.TITLE}\n{module.UNITS}\n\n{shown.to_string()}\n"


def markdown(table: pandas.DataFrame) -> str:
    """A table in GitHub's markdown."""
    names = [" ".join(filter(None, c)) if isinstance(c, tuple) else str(c) for c in table.columns]
    lines = [names, ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"sweeps.{name}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sweeps", description=__doc__)
    parser.add_argument("artefact", nargs="?", choices=[*ARTEFACTS, "sync", "ui"], help="none: the status of all")
    parser.add_argument("--format", choices=FORMATS, default="text", help="what is printed")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run directories")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder for tables and figures")
    parser.add_argument("--uri", help="MLflow server or store; default: mlflow.db in this folder")
    return parser


if __name__ == "__main__":
    guard()
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # as after `| head`
        abandon(sys.stdout)
        code = 128 + signal.SIGPIPE
    sys.exit(code)
