"""A job in the process that a cluster gives to it."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sweeps.launcher.attempt import attempt, note, output_to
from sweeps.launcher.pool import Machine
from sweeps.launcher.source import Job, Outcome

Task = Callable[[], Outcome]

# Seconds after which a task is killed that its timeout has not ended: it hangs outside of Python.
PATIENCE = 10.0


class TookTooLong(BaseException):
    """Ends a run wherever it stands; nothing in the run may take it for an error of its own."""


def compute(job: Job, machine: Machine, threads: int, timeout: float | None, folder: Path) -> Outcome:
    """Computes a job in the process that a cluster has given to it; its output goes to the run's log.

    Args:
        job: the run.
        machine: what has to be set before.
        threads: to compute with.
        timeout: seconds that it may take; None: any.
        folder: of the process that handed it over, from which relative paths count.
    """
    os.chdir(folder)
    with output_to(job.record):
        if machine.threads is not None:
            machine.threads(threads)
        try:
            with _at_most(timeout):
                return attempt(job, lambda row: None)
        except TookTooLong as error:
            note(job.record, str(error))
            return Outcome("failed", reason=str(error))


@contextmanager
def _at_most(seconds: float | None) -> Iterator[None]:
    """Raises TookTooLong in a block that takes longer; where Python gets no turn, its process is ended soon after."""
    if seconds is None:
        yield
        return

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise TookTooLong(f"not finished after timeout={seconds:g} s")

    kept = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(seconds + PATIENCE, exit=True, file=2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, kept)
