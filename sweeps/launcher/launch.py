"""Runs the jobs of a sweep, here or on a cluster: reuse what is finished, compute the rest, mirror each, sum up."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sweeps.claim import free
from sweeps.experiments import headline
from sweeps.launcher.attempt import note
from sweeps.launcher.display import Display
from sweeps.launcher.mirroring import Mirroring
from sweeps.launcher.place import Place, Slot, Slots
from sweeps.launcher.pool import Limits
from sweeps.launcher.signals import deaf, stoppable
from sweeps.launcher.source import Job, Outcome, Source
from sweeps.launcher.tally import Tally
from sweeps.launcher.worker import Died
from sweeps.records import CLAIM
from sweeps.terminal import complain, say

# Seconds between looks at timeouts, at runs of other sweeps and at the live line.
TICK = 0.2


def launch(
    source: Source, place: Place, limits: Limits, mirror: Mirroring, plan: Callable[[Slots], str] | None = None
) -> None:
    """Runs all jobs of a source in other processes; a job that fails, dies or hangs does not stop the others.

    Args:
        source: of the jobs.
        place: this machine or a cluster.
        limits: workers, retries and timeout.
        mirror: where runs are shown; its failure costs a warning.
        plan: a line on what is to come, said before the first run; given the pool for measurements.
    Raises: SystemExit: with code 1 if a job failed, 2 if it was the user's mistake. KeyboardInterrupt: Ctrl-C, SIGTERM.
    """
    sweep = _Sweep(source, place, limits, mirror, plan)
    with stoppable():
        try:
            sweep.run()
        except KeyboardInterrupt as stop:
            with deaf():
                sweep.stop(str(stop) or "Ctrl-C")
            raise
        except BaseException:
            sweep.stop("the sweep failed")
            raise
    if sweep.tally.code:
        sys.exit(sweep.tally.code)


class _Sweep:
    """The state of a sweep that runs."""

    def __init__(
        self,
        source: Source,
        place: Place,
        limits: Limits,
        mirror: Mirroring,
        plan: Callable[[Slots], str] | None,
    ) -> None:
        self.source, self.place, self.limits, self.mirror, self.plan = source, place, limits, mirror, plan
        self.tally = Tally(source.total)
        self.pool: Slots | None = None
        self.display: Display | None = None
        self.again: deque[Job] = deque()  # failed, to be tried once more
        self.elsewhere: list[Job] = []  # computed by another sweep at this moment
        self.failures: Counter[Path] = Counter()

    def run(self) -> None:
        self._feed()
        while self.again or self.elsewhere or (self.pool and self.pool.running):
            if self.pool:
                for worker in self.pool.speaking(TICK):
                    self._hear(worker)
                self._end_hanging()
                self._open().tick(len(self.pool.running), len(self.elsewhere))
            self._feed()
        self._close()
        self.mirror.close()
        self.tally.sum_up()

    def stop(self, why: str) -> None:
        """Ends all workers now."""
        running = [w.job for w in (self.pool.running if self.pool else []) if w.job]
        self._close()
        for job in running:
            note(job.record, f"interrupted by {why}")
            self.mirror.interrupted(job.record)
        self.mirror.close(patience=2.0)

    def _close(self) -> None:
        if self.pool:
            self.pool.close()
        if self.display:
            self.display.close()

    def _feed(self) -> None:
        while not (self.pool and self.pool.full):
            job = self._take()
            if job is None:
                return
            found = None if job.force else job.record.result()
            if found is not None:
                self._end(job, Outcome("reused", found))
            else:
                self._start(job)

    @staticmethod
    def _ready(job: Job) -> bool:
        """Whether what another sweep was computing can be taken up: it is there, or nobody computes it any more."""
        return (not job.force and job.record.result() is not None) or free(job.record.path / CLAIM)

    def _take(self) -> Job | None:
        if self.again:
            return self.again.popleft()
        job = self.source.next()
        if job is None:
            job = next((j for j in self.elsewhere if self._ready(j)), None)
            if job is not None:
                self.elsewhere.remove(job)
        return job

    def _open(self) -> Display:
        if self.display is None:
            self.display = Display(self.source.total - self.tally.counts["reused"])
        return self.display

    def _start(self, job: Job) -> None:
        try:
            if self.pool is None:
                self.pool = self.place.pool(self.limits, self.source.total)
                if self.plan is not None:
                    say(self.plan(self.pool))
            worker = self.pool.idle()
        except Died as how:  # at its start
            self._failed(job, Outcome("failed", reason=f"worker {how}"))
            return
        self._open()
        try:
            worker.start(job)
            self.mirror.begin(job.record, job.label)
        except Died:  # while it was idle, which is nobody's fault
            self.pool.replace(worker)
            self.again.appendleft(job)

    def _hear(self, worker: Slot) -> None:
        assert self.pool is not None
        job = worker.job
        assert job is not None
        try:
            kind, value = worker.receive()
            if kind == "row":
                worker.answer(self.source.report(job, value))
                return
        except Died as how:
            self._lost(worker, job, str(how))
            return
        worker.job = None
        if value.status == "busy":
            self.mirror.interrupted(job.record)
            self.elsewhere.append(job)
        elif value.status == "failed":
            if not (value.mistake or value.settled):
                self.pool.replace(worker)  # whatever state the failure left it in
            self._failed(job, value)
        else:
            self._end(job, value)

    def _end_hanging(self) -> None:
        assert self.pool is not None
        limit = self.limits.timeout
        for worker in self.pool.running:
            if limit is not None and time.monotonic() - worker.began > limit and worker.job:
                self._lost(worker, worker.job, f"not finished after timeout={limit:g} s")

    def _lost(self, worker: Slot, job: Job, why: str) -> None:
        assert self.pool is not None
        self.pool.replace(worker)
        found = None if job.force else job.record.result()
        if found is not None:  # it was lost between its last file and its last word
            self._end(job, Outcome("done", found))
            return
        note(job.record, why)
        self._failed(job, Outcome("failed", reason=why))

    def _failed(self, job: Job, outcome: Outcome) -> None:
        self.failures[job.record.path] += 1
        tries = self.failures[job.record.path]
        if not (outcome.mistake or outcome.settled) and tries <= self.limits.retries:
            complain(f"{job.label}: {outcome.reason}; try {tries + 1} of {self.limits.retries + 1}")
            self.again.append(job)
            return
        after = f" ({tries} tries)" if tries > 1 else ""
        self._end(job, replace(outcome, reason=outcome.reason + after))

    def _end(self, job: Job, outcome: Outcome) -> None:
        self.tally.add(job, outcome)
        self.mirror.ended(job.record, outcome)
        if self.display:
            gave = headline(job.record.experiment, outcome.result) if outcome.result else outcome.status
            self.display.ended(f"{job.label}: {gave}", outcome.status == "failed")
        self.source.ended(job, outcome)
