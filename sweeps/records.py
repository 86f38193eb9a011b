"""The durable record of runs: one directory a run, one atomic file that says it is done.

No database. Two sweeps share the work by claims; where a file system has none, two writers of one run write equal
files under names of their own, and a rename makes one of them final.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from sweeps.claim import claim
from sweeps.errors import NotFinite
from sweeps.identity import flat
from sweeps.partial import partial_name, remove_dead

RESULT = "result.json"
# What a result holds at least.
PARTS: dict[str, Any] = {
    "config": dict,
    "metrics": dict,
    "notes": dict,
    "label": str,
    "began": int | float,
    "ended": int | float,
}
LOG = "run.log"
CLAIM = ".claim"


@dataclass(frozen=True)
class Record:
    """The directory of one run: config.yaml, run.log, history.csv, checkpoint, result.json (last).

    Args:
        path: runs/<experiment>/<identity>.
    """

    path: Path

    @property
    def identity(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def experiment(self) -> str:
        """The name of the experiment's directory."""
        return self.path.parent.name

    def result(self) -> dict[str, Any] | None:
        """What the finished run gave; None where it is unfinished, torn, of another run or not what results are."""
        try:
            found = json.loads(
                (self.path / RESULT).read_bytes(), parse_float=_finite, parse_int=_whole, parse_constant=_finite
            )
        except (OSError, ValueError, RecursionError):
            return None
        whole = isinstance(found, dict) and found.get("identity") == self.identity and not _faults(found)
        return found if whole else None

    def start(self, config: str) -> None:
        """Makes the directory and keeps the config (YAML text); an earlier result stays until a new one replaces it."""
        write(self.path / "config.yaml", config.encode())

    def claim(self) -> AbstractContextManager[bool]:
        """Claims the run for the process that computes it; see `claim.claim`."""
        return claim(self.path / CLAIM)

    def keep(self, name: str, content: bytes) -> None:
        """Adds a file."""
        write(self.path / name, content)

    def finish(self, history: list[dict[str, float]], result: dict[str, Any]) -> None:
        """Writes the history and then, last and atomically, the result.

        Nothing is written of a result that shows nothing.

        Raises: NotFinite: a number of it is not. TypeError: a part is missing or not of its kind.
        """
        content = {"identity": self.identity, **result}
        bad = [f"{k} {v}" for k, v in flat(content).items() if isinstance(v, float) and not isfinite(v)]
        if bad:
            raise NotFinite(f"not finite: {', '.join(bad)}")
        if faults := _faults(content):
            raise TypeError(f"not a result: {', '.join(faults)}")
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
        write(self.path / "history.csv", table(history).encode())
        write(self.path / RESULT, text.encode())

    def history(self) -> list[dict[str, float]]:
        """A row an epoch, as written."""
        with (self.path / "history.csv").open(newline="") as file:
            rows = [{k: _number(v) for k, v in row.items() if k} for row in csv.DictReader(file)]
        return [{k: v for k, v in row.items() if v is not None} for row in rows]


def _faults(result: dict[str, Any]) -> list[str]:
    """The parts that are missing or not of their kind; any texts, and any metrics that are numbers, are right."""
    parts = [name for name, kind in PARTS.items() if not isinstance(result.get(name), kind)]
    if "metrics" not in parts:
        parts += [f"metrics.{k} {v}" for k, v in result["metrics"].items() if not _counts(v)]
    return parts


def _counts(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str | None) -> float | None:
    """A number of a table; None where there is none."""
    try:
        return float(text or "")
    except ValueError:
        return None


def _finite(number: str) -> float:
    """A number of JSON, or of what Python takes for JSON."""
    found = float(number)
    if not isfinite(found):
        raise ValueError(f"{number} is not finite")
    return found


def _whole(number: str) -> int:
    """A whole number of JSON that arithmetic with others can take."""
    _finite(number)
    return int(number)


def finished(runs: Path, experiment: str = "*") -> Iterator[tuple[Record, dict[str, Any]]]:
    """Every finished run below a folder, in a fixed order, with its result."""
    for path in sorted(runs.glob(f"{experiment}/*/{RESULT}")):
        record = Record(path.parent)
        result = record.result()
        if result is not None:
            yield record, result


def write(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut.

    What writers that were killed left of this file goes; one that is writing it at this moment is not disturbed.

    Raises: OSError: the disk is full, say; no file of that name is left half-written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_dead(path)
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def table(rows: list[dict[str, float]]) -> str:
    """Rows of numbers as csv, columns in order of first appearance; numbers keep every digit."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: repr(v) for k, v in row.items()} for row in rows)
    return text.getvalue()
