"""One run alone, in this process."""

from __future__ import annotations

import sys
import time

from sweeps.launcher.attempt import attempt, note
from sweeps.launcher.mirroring import Mirroring
from sweeps.launcher.signals import stoppable
from sweeps.launcher.source import Job, Outcome
from sweeps.launcher.tally import Tally
from sweeps.terminal import say

# Seconds between looks at a run that another process computes.
TICK = 0.2


def run_here(job: Job, mirror: Mirroring) -> None:
    """Computes one run in this process, or reuses it.

    Raises: SystemExit: with code 1 if it failed, 2 if that was the user's mistake.
    """
    tally = Tally(1)
    with stoppable():
        try:
            outcome = _attempt_until_ours(job, mirror)
        except KeyboardInterrupt as stop:
            note(job.record, f"interrupted by {str(stop) or 'Ctrl-C'}")
            mirror.interrupted(job.record)
            mirror.close(patience=2.0)
            raise
        tally.add(job, outcome)
        mirror.ended(job.record, outcome)
        mirror.close()
    if tally.code:
        sys.exit(tally.code)


def _attempt_until_ours(job: Job, mirror: Mirroring) -> Outcome:
    mirror.begin(job.record, job.label)
    outcome = attempt(job, lambda row: None)
    if outcome.status == "busy":
        say(f"{job.label}: another process is computing it; waiting")
    while outcome.status == "busy":
        time.sleep(TICK)
        outcome = attempt(job, lambda row: None)
    return outcome
