"""`python -m benchmarks overhead`: what the platform costs beside the science.

- `launch`: a sweep of empty runs (certified ones, which compute nothing but their proof) through the whole command:
  composing, validating, hashing, workers, records, MLflow. Milliseconds of wall time a run, less the time inside the
  runs; Hydra's own launcher, which composes each run when its turn comes, beside it (it mirrors nothing).
- `status`: `python -m sweeps` over a folder of finished runs.
- `help`: `python -m equivariance.run --help`.

Every command runs in a fresh process and a temporary folder; medians of `--repeats`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

RUN = (sys.executable, "-m", "equivariance.run")
GRID = ("-m", "arch=bagnet33", "device=cpu")
FIRST = 100  # pixels: from here on borders of BagNet-33 are certified
HYDRA_RUNS = 50


@dataclass
class Row:
    """One figure and what it may be at most."""

    what: str
    runs: int
    value: float
    unit: str
    limit: float | None


def main(argv: list[str]) -> None:
    options = parse(argv)
    rows = []
    for row in (launching(options), hydras_own(options), status(options), starting(options)):
        rows.append(row)
        if not options.json:
            limit = f"   at most {row.limit:g}" if row.limit else ""
            print(f"{row.what:44}{row.runs:>7} runs {row.value:10.3g} {row.unit}{limit}", flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks overhead", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="empty runs that are launched")
    parser.add_argument("--finished", type=int, default=10_000, help="finished runs that the status reads")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def launching(options: argparse.Namespace) -> Row:
    """Milliseconds a run through the local launcher, over the run itself."""
    found = [sweep(options.runs) for _ in range(options.repeats)]
    return Row("launch, over the run itself", options.runs, statistics.median(found), "ms a run", 50.0)


def hydras_own(options: argparse.Namespace) -> Row:
    """The same through Hydra's basic launcher, start-up left out by the difference of two sweeps."""
    found = []
    for _ in range(options.repeats):
        few, many = (sweep(n, "hydra/launcher=basic") * n for n in (2, HYDRA_RUNS))
        found.append((many - few) / (HYDRA_RUNS - 2))
    return Row("Hydra's basic launcher, start-up left out", HYDRA_RUNS, statistics.median(found), "ms a run", None)


def sweep(runs: int, *overrides: str) -> float:
    """Milliseconds a run of wall time of a sweep of empty runs, less the time in the runs themselves."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(folder, *RUN, *GRID, f"border=range({FIRST},{FIRST + runs})", *overrides)
        results = [json.loads(p.read_text()) for p in Path(folder).glob("runs/*/*/result.json")]
    assert len(results) == runs
    assert all(r["notes"].get("certified") for r in results)
    inside = sum(r["ended"] - r["began"] for r in results)
    return 1000 * (seconds - inside / (1 if overrides else len(os.sched_getaffinity(0)))) / runs


def status(options: argparse.Namespace) -> Row:
    """Seconds of `python -m sweeps` over finished runs."""
    with tempfile.TemporaryDirectory() as folder:
        timed(folder, *RUN, *GRID, f"border={FIRST}")
        (original,) = Path(folder).glob("runs/*/*/result.json")
        result = json.loads(original.read_text())
        for number in range(options.finished - 1):
            result["identity"] = f"{number:016x}"
            path = original.parent.parent / result["identity"] / "result.json"
            path.parent.mkdir()
            path.write_text(json.dumps(result, indent=1, sort_keys=True))
        found = [timed(folder, sys.executable, "-m", "sweeps") for _ in range(options.repeats)]
    return Row("python -m sweeps", options.finished, statistics.median(found), "s", 2.0)


def starting(options: argparse.Namespace) -> Row:
    """Seconds of `--help`."""
    with tempfile.TemporaryDirectory() as folder:
        found = [timed(folder, *RUN, "--help") for _ in range(options.repeats)]
    return Row("python -m equivariance.run --help", 0, statistics.median(found), "s", 1.5)


def timed(folder: str, *command: str) -> float:
    """Seconds a command takes."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return time.perf_counter() - start
