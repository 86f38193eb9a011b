"""python -m sweeps: every experiment, its runs done and to do; one experiment's table and figure; report (the
site); verify; sync; ui.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from pathlib import Path

from sweeps import grid, records
from sweeps.addresses import guard
from sweeps.artefacts import FORMATS, write
from sweeps.errors import UserError
from sweeps.experiments import EXPERIMENTS
from sweeps.registry import load
from sweeps.terminal import abandon, clock
from sweeps.tracking.mirror import Mirror
from sweeps.tracking.store import failures
from sweeps.tracking.sync import sync

# Words in the place of an experiment's name.
COMMANDS = ("report", "sync", "ui", "verify")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    options = _options().parse_args(arguments)
    try:
        load(options.imports)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.runs.exists() and not options.runs.is_dir():
        print(f"error: --runs={options.runs}: not a folder", file=sys.stderr)
        return 2
    if options.artefact is None:
        return status(options.runs)
    if options.artefact == "verify":
        from sweeps.verify import verify

        return verify(options.runs, options.sample, options.seed)
    mirror = Mirror(options.uri)
    try:
        if options.artefact == "sync":
            logged, total = sync(options.runs, mirror)
            print(f"{total} finished runs, {logged} logged now to {mirror.uri}")
            return 0
        if options.artefact == "report":
            from sweeps.site.report import report

            sync(options.runs, mirror)
            return report(mirror, options.results / "site")
        if options.artefact == "ui":
            from sweeps.tracking.store import Store
            from sweeps.ui import ui

            sync(options.runs, mirror)
            return ui(Store(options.uri))
        if unknown := _unknown(options.artefact, options.runs, mirror):
            print(f"error: {unknown}", file=sys.stderr)
            return 2
        sync(options.runs, mirror, options.artefact)
        return write(options.artefact, mirror, options.results, options.format)
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
    """Prints each experiment with its cells done and what the others take; a cell is done as its sweep has it."""
    for name in (n for n in EXPERIMENTS.names() if grid.has_sweep(n)):
        there = grid.progress(name, name, runs)
        left = f"{clock(there.left)} of computing left" if there.left else ""
        left = left or (f"{there.others} with other settings" if there.others else "")
        command = f"python -m equivariance.run -m +sweep={name}"
        cells = f"{there.done} of {there.total} cells done"
        print(f"{name:13} {cells:>22}   {left:30} {command}")
    others = sum(1 for _ in records.finished(runs))
    print(f"{others} finished runs in {runs}/")
    return 0


def _unknown(name: str, runs: Path, mirror: Mirror) -> str:
    """What is to be said of a name that no experiment has, here, among the runs or in the store; nothing if one has."""
    known = [*EXPERIMENTS.names(), *_others(runs), *COMMANDS]
    if name in known or name in mirror.names():
        return ""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
    return f"{name}: no such experiment or command; {hint}"


def _others(runs: Path) -> list[str]:
    """Experiments of which there are runs, though they are not registered here."""
    return [p.name for p in sorted(runs.glob("*")) if p.is_dir() and not p.name.startswith(".")]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: allowed: 1 and more")
    return int(text)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sweeps", description=__doc__)
    parser.add_argument(
        "artefact", nargs="?", help="an experiment, report, verify, sync or ui; none: the status of all"
    )
    parser.add_argument(
        "--import", dest="imports", action="append", default=[], metavar="MODULE", help="that registers experiments"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="what is printed")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run directories")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder for tables and figures")
    parser.add_argument("--sample", type=_positive, default=1, metavar="K", help="verify: how many runs")
    parser.add_argument("--seed", type=int, default=0, help="verify: of their choice")
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
