"""Runs of a sweep as tasks of a cluster: handed over, awaited, asked what became of them; the cluster schedules them.

What each run leaves is the same as on one machine, in the same folder, which all nodes have to share.
"""

from __future__ import annotations

import math
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from sweeps.cluster.task import Task, compute
from sweeps.launcher.pool import Limits, Machine
from sweeps.launcher.source import Job, Outcome
from sweeps.launcher.worker import Died
from sweeps.terminal import complain

# Seconds between attempts to hand tasks over to a cluster that has taken some before and takes none now.
PAUSE = 60.0


class Refused(Exception):  # noqa: N818
    """The cluster cannot be used as it is asked to; says why in one line."""


class Cluster(ABC):
    """What computes tasks somewhere.

    Args:
        machine: what has to be set there before a run.
        threads: CPU threads that a task computes with.
    """

    def __init__(self, machine: Machine, threads: int) -> None:
        self.machine, self.threads = machine, threads

    def pool(self, limits: Limits, most: int) -> ClusterPool:
        """Its tasks, as the launcher sees workers; connects.

        Raises: Refused: it cannot be used.
        """
        self.open()
        return ClusterPool(self, limits, most)

    @abstractmethod
    def __str__(self) -> str:
        """A few words for people."""

    @abstractmethod
    def open(self) -> None:
        """Connects.

        Raises: Refused: it cannot be used.
        """

    @abstractmethod
    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        """Hands tasks over and returns a handle for each.

        Raises: Refused: none was taken.
        """

    @abstractmethod
    def ended(self, handles: Sequence[Any], seconds: float) -> list[Any]:
        """Those that have ended in whatever way; where there is none, after about so many seconds."""

    @abstractmethod
    def outcome(self, handle: Any) -> Outcome:
        """What a task that has ended returned.

        Raises: Died: it returned nothing.
        """

    @abstractmethod
    def cancel(self, handles: Sequence[Any]) -> None:
        """Ends tasks now, those that wait and those that run."""

    @abstractmethod
    def close(self) -> None:
        """Disconnects."""


class Remote:
    """The sweep's end of one task."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.job: Job | None = None
        self.handle: Any = None
        self.began = math.inf  # it may have to wait; its timeout is watched where it runs

    def call(self, function: Callable[..., Any], *arguments: Any, within: float = 0.0) -> NoReturn:
        """Nothing but jobs is computed there.

        Raises: RuntimeError.
        """
        raise RuntimeError("the cluster decides")

    def start(self, job: Job) -> None:
        """Gives it a job, which is handed over with all others that start at this moment."""
        self.job = job

    def receive(self) -> tuple[str, Outcome]:
        """What the task returned, or its record where only that is left.

        Raises: Died: it left no result.
        """
        assert self.job is not None
        try:
            return "answer", self._cluster.outcome(self.handle)
        except Died:
            found = None if self.job.force else self.job.record.result()
            if found is None:
                raise
            return "answer", Outcome("done", found)

    def answer(self, go_on: bool) -> None:
        """Rows of epochs stay where they are computed."""


class ClusterPool:
    """The tasks of a sweep, as the launcher sees workers.

    Args:
        cluster: which computes them, connected.
        limits: how many tasks it may hold, and how long each may take.
        most: tasks that there will be.
    """

    def __init__(self, cluster: Cluster, limits: Limits, most: int) -> None:
        self._cluster, self._limits = cluster, limits
        self._most = max(1, min(limits.workers or most, most))
        self._remotes: list[Remote] = []
        self._accepted = False
        self._not_before = 0.0

    def __str__(self) -> str:
        return str(self._cluster)

    def __len__(self) -> int:
        return self._most

    @property
    def running(self) -> list[Remote]:
        """Tasks that have not ended, as far as is known."""
        self._remotes = [r for r in self._remotes if r.job]
        return self._remotes

    @property
    def full(self) -> bool:
        """Whether the cluster holds as many as it may."""
        return len(self.running) >= self._most

    def idle(self) -> Remote:
        """A new task."""
        self._remotes.append(Remote(self._cluster))
        return self._remotes[-1]

    def speaking(self, seconds: float) -> Iterator[Remote]:
        """Hands over what has been started since, and gives the tasks that have ended, after about so many seconds.

        Raises: Refused: the cluster takes nothing, and never has.
        """
        self._submit([r for r in self.running if r.handle is None])
        at = {id(r.handle): r for r in self.running if r.handle is not None}
        if not at:
            time.sleep(seconds)
            return
        for handle in self._cluster.ended([r.handle for r in at.values()], seconds):
            yield at[id(handle)]

    def replace(self, remote: Remote) -> None:
        """Forgets a task that has ended."""
        remote.job = None

    def close(self) -> None:
        """Ends all tasks."""
        self._cluster.cancel([r.handle for r in self.running if r.handle is not None])
        self._cluster.close()
        self._remotes = []

    def _submit(self, remotes: list[Remote]) -> None:
        if not remotes or time.monotonic() < self._not_before:
            return
        # A Ctrl-C is for the sweep alone, which cancels its tasks: it waits until all of them are known, and what is
        # blocked here stays so in processes that are begun here.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            handles = self._cluster.submit([self._task(r.job) for r in remotes if r.job])
            for remote, handle in zip(remotes, handles, strict=True):
                remote.handle = handle
            self._accepted = True
        except Refused as why:
            if not self._accepted:
                raise
            complain(f"warning: {why}; trying again in {PAUSE:g} s")  # hours of work are not given up for that
            self._not_before = time.monotonic() + PAUSE
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def _task(self, job: Job) -> Task:
        cluster = self._cluster
        return partial(compute, job, cluster.machine, cluster.threads, self._limits.timeout, Path.cwd())
