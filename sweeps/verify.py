"""python -m sweeps verify: finished runs computed anew, and compared with what they left.

Where device, code and versions are the same, results must be the same bits: metrics, what was told of each picture,
history and weights. Elsewhere sums are rounded in another order, and a metric may differ by TOLERANCE plus RELATIVE
of itself.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.launcher.source import Outcome
from sweeps.plain import plain
from sweeps.records import Record, finished
from sweeps.registry import resolved

TOLERANCE, RELATIVE = 0.02, 0.01
# What decides the bits, of a result: `again` records the same of the new one.
CIRCUMSTANCES = ("device", "commit", "version", "torch", "threads")
# How a run is computed anew is the science's to say.
AGAIN = "equivariance.again:again"
WEIGHTS = "checkpoint.safetensors"


def verify(runs: Path, sample: int, seed: int) -> int:
    """Computes some finished runs anew and says of each whether it comes out as before.

    Args:
        runs: folder of the run directories.
        sample: how many, 1 or more; all, where there are fewer.
        seed: of the choice.
    Returns: The exit code: 0 where all come out, 1 where one does not or there is none.
    """
    there = [record for record, _ in finished(runs)]
    if not there:
        print(f"no finished runs in {runs}/", file=sys.stderr)
        return 1
    chosen = random.Random(seed).sample(there, min(sample, len(there)))  # noqa: S311 - no secret
    good = 0
    for record in chosen:
        verdict, reasons = _verified(record)
        good += verdict != "DIFFERS"
        print(f"{record.experiment}/{record.identity}: {verdict}{''.join(f'; {r}' for r in reasons)}", flush=True)
    print(f"{good} of {len(chosen)} runs come out as before, of {len(there)} finished")
    return 0 if good == len(chosen) else 1


def _verified(record: Record) -> tuple[str, list[str]]:
    before = record.result()
    if before is None:
        return "DIFFERS", ["its result is gone"]
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        try:
            anew, outcome = resolved(AGAIN)(record, Path(folder))
        except (UserError, OSError) as error:
            return "DIFFERS", [f"it cannot be computed anew: {plain(error)}"]
        return compared(before, outcome, record, anew)


def compared(before: dict[str, Any], outcome: Outcome, record: Record, anew: Record) -> tuple[str, list[str]]:
    """Whether a run comes out as before: `identical`, `within tolerance` or `DIFFERS`, and what differs and why it may.

    Args:
        before: its result.
        outcome: of the new run.
        record: of the run.
        anew: of the new one.
    """
    after = outcome.result
    if after is None:
        return "DIFFERS", [f"it fails now: {plain(outcome.reason)}"]
    if record.identity != anew.identity:
        return "DIFFERS", ["its config means another run in this version, or what its paths hold has changed"]
    others, apart = list(_circumstances(before, after)), list(_differences(before, after))
    if not apart and _bits(record, before) == _bits(anew, after):
        return "identical", []
    said = [f"{name} {a:.6g}, now {b:.6g}" for name, a, b in apart] or ["not the same bits, the same metrics"]
    close = all(abs(a - b) <= TOLERANCE + RELATIVE * abs(a) for _, a, b in apart)
    if not others:
        return "DIFFERS", [*said, "same device, code and versions: it must not"]
    why = f"it may: {', '.join(others)}"
    return ("within tolerance" if close else "DIFFERS"), [*said, why]


def _circumstances(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What is not the same, or not known to be, around two results."""
    for name in CIRCUMSTANCES:
        a, b = (_told(result, name) for result in (before, after))
        if a is None or b is None:
            yield f"{name} not recorded"
        elif a != b:
            yield f"{name} {a}, now {b}"
        elif str(a).endswith("-dirty"):
            yield f"{name} {a}: changed files"


def _told(result: dict[str, Any], name: str) -> Any:
    return result.get(name) or result["notes"].get(name) or result.get("computed", {}).get(name)


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    missing = float("nan")
    for name in sorted({*before["metrics"], *after["metrics"]}):
        a, b = before["metrics"].get(name, missing), after["metrics"].get(name, missing)
        if a != b:
            yield name, a, b


def _bits(record: Record, result: dict[str, Any]) -> tuple[Any, ...]:
    weights = record.path / WEIGHTS
    parts = (result.get("right") or {}, result.get("redrawn") or {}, record.history())
    return *parts, weights.read_bytes() if weights.is_file() else b""
