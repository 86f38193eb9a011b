"""One attempt at a job, in the process that computes it: claimed, logged, and never raising."""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sweeps.errors import NotFinite, UserError
from sweeps.launcher.source import Job, Outcome, Pruned, Report
from sweeps.records import LOG, Record


def attempt(job: Job, report: Report) -> Outcome:
    """Reuses a finished run, leaves alone what another process computes, computes the rest.

    Args:
        job: the run.
        report: told each epoch's row.
    """
    began = time.monotonic()
    try:
        with job.record.claim() as ours:
            if not ours:
                return Outcome("busy")
            found = None if job.force else job.record.result()  # another sweep may have finished it by now
            if found is not None:
                return Outcome("reused", found)
            note(job.record, f"started by process {os.getpid()}")
            outcome = _computed(job, report)
            note(job.record, f"{outcome.status} {outcome.reason}".strip())
    except OSError as error:  # no folder can be made
        return Outcome("failed", reason=f"{type(error).__name__}: {error}")
    return replace(outcome, seconds=time.monotonic() - began)


def _computed(job: Job, report: Report) -> Outcome:
    try:
        return Outcome("done", job.work(report))
    except Pruned:
        return Outcome("pruned")
    except UserError as error:
        return Outcome("failed", reason=_line(error), mistake=True)
    except NotFinite as error:
        return Outcome("failed", reason=_line(error), settled=True)
    except Exception as error:  # whatever a run may raise, it ends that run alone, and its log says where
        note(job.record, "".join(traceback.format_exception(error)))
        return Outcome("failed", reason=f"{type(error).__name__}: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def note(record: Record, line: str) -> None:
    """Adds a dated line to a run's log; a full disk loses the line and nothing else."""
    try:
        with log(record).open("a", encoding="utf-8", errors="backslashreplace") as file:
            print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {socket.gethostname()}: {line}", file=file)
    except OSError:
        pass


def log(record: Record) -> Path:
    """Where a run's own output goes."""
    return record.path / LOG


@contextmanager
def output_to(record: Record) -> Iterator[None]:
    """Sends what this process writes, C libraries and crashes included, to a run's log as long as the block runs."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    try:
        record.path.mkdir(parents=True, exist_ok=True)
        file = os.open(log(record), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:  # the attempt will say what is wrong with the folder
        file = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for one in kept:
            os.close(one)
