"""Runs the jobs of a sweep: reuse what is finished, compute the rest, mirror each, sum up."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sweeps.records import ERROR, Record
from sweeps.tracking import Mirror


@dataclass(frozen=True)
class Job:
    """A run that can be computed.

    Args:
        record: its directory.
        label: a few words for people.
        compute: computes it, leaves its record and returns the result.
        force: compute although a finished run is at hand.
    """

    record: Record
    label: str
    compute: Callable[[], dict[str, Any]]
    force: bool = False


@dataclass
class Tally:
    """What became of the jobs."""

    done: int = 0
    reused: int = 0
    failed: list[str] = field(default_factory=list)
    not_mirrored: str = ""


# Of the jobs with these numbers: how many are certified, and about how many seconds the others take.
Outlook = Callable[[list[int]], tuple[int, float]]


def launch(jobs: list[Job], mirror: Mirror, sweep: str | None, outlook: Outlook | None = None) -> None:
    """Runs jobs one after another in this process; a failed one does not stop the others.

    Args:
        jobs: all validated.
        mirror: where finished runs are shown; its failure costs a warning.
        sweep: name under which the mirror groups them.
        outlook: what is to come, for the line before the first run.
    Raises: SystemExit: with code 1 if a job failed, 2 if it was the user's mistake.
    """
    finished = {job.record.identity: None if job.force else job.record.result() for job in jobs}
    to_do = [n for n, job in enumerate(jobs) if finished[job.record.identity] is None]
    if outlook:
        say(f"{len(jobs)} runs: {_plan(len(jobs), to_do, outlook)}")
    tally, code = Tally(), 0
    for number, job in enumerate(jobs, 1):
        start = time.monotonic()
        result = finished[job.record.identity]
        reused = result is not None
        try:
            result = result if result is not None else job.compute()
        except Exception as error:
            code = max(code, _failed(job, error, tally))
            continue
        finished[job.record.identity] = result
        _mirror(job.record, result, mirror, sweep, tally)
        tally.reused += reused
        tally.done += not reused
        how = "reused" if reused else f"{time.monotonic() - start:.1f} s"
        if result["notes"].get("skipped"):
            bad = result["notes"]["skipped"].split("; ")
            say(f"  skipped {len(bad)} unreadable pictures: {', '.join(bad[:3])}{' …' * (len(bad) > 3)}")
        say(f"[{number}/{len(jobs)}] {job.label}: {_metrics(result)} ({how}, {job.record.path})")
    _sum_up(tally, len(jobs))
    if code:
        sys.exit(code)


def _plan(total: int, to_do: list[int], outlook: Outlook) -> str:
    if not to_do:
        return f"{total} done"
    certified, seconds = outlook(to_do)
    return f"{total - len(to_do)} done, {certified} certified, {len(to_do) - certified} to do, {clock(seconds)} at most"


def clock(seconds: float) -> str:
    """A duration in words, as exact as an estimate is."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {max(1, round(seconds))} s"


def say(line: str) -> None:
    """A line for the user, at once."""
    print(line, flush=True)


def _failed(job: Job, error: Exception, tally: Tally) -> int:
    """Reports a failure and returns the exit code it asks for."""
    mistake = type(error).__name__ == "UserError"
    reason = " ".join(str(error).split()) or type(error).__name__
    if not mistake:
        log = job.record.path / ERROR
        with contextlib.suppress(OSError):  # the disk may be what failed
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("".join(traceback.format_exception(error)))
        reason = f"{type(error).__name__}: {reason} (see {log})"
    tally.failed.append(f"{job.label}: {reason}")
    print(f"error: {tally.failed[-1] if not mistake else reason}", file=sys.stderr, flush=True)
    return 2 if mistake else 1


def _mirror(record: Record, result: dict[str, Any], mirror: Mirror, sweep: str | None, tally: Tally) -> None:
    if tally.not_mirrored or mirror.mirrored(record):
        return
    try:
        mirror.log(record, result, sweep)
    except Exception as error:  # MLflow's failures are of many kinds, and none of them costs a run
        tally.not_mirrored = (str(error).splitlines() or [type(error).__name__])[0][:160]
        print(
            f"warning: MLflow at {mirror.uri} cannot be reached ({tally.not_mirrored}); runs go on and are kept;"
            " log them later with: python -m sweeps sync",
            file=sys.stderr,
            flush=True,
        )


def _metrics(result: dict[str, Any]) -> str:
    metrics = result["metrics"]
    if result["notes"].get("certified"):
        return f"accuracy {100 * metrics['accuracy']:g} % (certified)"
    loss = f", loss {metrics['loss']:.3f}" if "loss" in metrics else ""
    return f"accuracy {100 * metrics['accuracy']:.1f} %{loss}"


def _sum_up(tally: Tally, total: int) -> None:
    if total > 1:
        say(f"{total} runs: {tally.done} computed, {tally.reused} reused, {len(tally.failed)} failed")
        for line in tally.failed:
            say(f"  failed: {line}")
