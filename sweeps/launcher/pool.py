"""The workers of a sweep on one machine: how many, which GPU and how many threads each has."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from typing import Any

from sweeps.launcher.worker import Worker

# Memory that a worker without a GPU is reckoned to need, in bytes: libraries and a canvas of DenseNet-121.
MEMORY = 2 * 1024**3


@dataclass(frozen=True)
class Machine:
    """What the platform has to be told about the science, as functions and modules that workers import.

    Args:
        preload: modules that the process from which workers are forked imports once.
        gpus: says in a worker how many GPUs there are, without starting CUDA.
        threads: sets in a worker the number of CPU threads to compute with.
    """

    preload: Sequence[str] = ()
    gpus: Callable[[], int] = int
    threads: Callable[[int], None] | None = None

    def pool(self, limits: Limits, most: int) -> Pool:
        """Workers for a sweep of at most so many runs."""
        return Pool(self, limits, most)


@dataclass(frozen=True)
class Limits:
    """How a sweep uses a machine.

    Args:
        workers: at once; None: one a GPU slot, or one a core where there is no GPU.
        slots_per_gpu: workers that share a GPU.
        retries: further attempts at a run that failed.
        timeout: seconds that an attempt may take; None: any.
    """

    workers: int | None = None
    slots_per_gpu: int = 1
    retries: int = 1
    timeout: float | None = None


class Pool:
    """Worker processes, started as there are jobs for them and started again when one dies.

    Args:
        machine: what workers import and ask.
        limits: how many there may be.
        most: of them ever needed.
    """

    def __init__(self, machine: Machine, limits: Limits, most: int) -> None:
        self._context = _forkserver(machine.preload)
        self._machine = machine
        first = Worker(self._context)
        gpus = first.call(machine.gpus)
        self.slots = _slots(gpus, limits, most)
        self._workers: list[Worker | None] = [None] * len(self.slots)
        self._workers[0] = self._settled(first, 0)

    def __str__(self) -> str:
        gpus, threads = len({gpu for gpu, _ in self.slots if gpu}), self.slots[0][1]
        share = f"{gpus} GPU{'s' * (gpus > 1)}" if gpus else f"{threads} thread{'s' * (threads > 1)} each"
        return f"{len(self.slots)} worker{'s' * (len(self.slots) > 1)} with {share}"

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def running(self) -> list[Worker]:
        """Workers that have a job."""
        return [w for w in self._workers if w and w.job]

    @property
    def full(self) -> bool:
        """Whether every slot has a worker with a job."""
        return len(self.running) == len(self.slots)

    def idle(self) -> Worker:
        """A worker without a job, started where there is none; not to be asked of a pool that is full.

        Raises: Died: it ended at its start.
        """
        slot = next(n for n, worker in enumerate(self._workers) if worker is None or worker.job is None)
        worker = self._workers[slot] or self._settled(Worker(self._context), slot)
        self._workers[slot] = worker
        return worker

    def speaking(self, seconds: float) -> Iterator[Worker]:
        """Running workers that have a message or have died, after at most so many seconds."""
        at = {worker.connection: worker for worker in self.running}
        if not at:
            time.sleep(seconds)
        yield from (at[connection] for connection in wait(list(at), seconds))  # type: ignore[index]

    def replace(self, worker: Worker) -> None:
        """Ends a worker; the next job that wants its slot starts a new one."""
        self._workers[self._workers.index(worker)] = None
        worker.close()

    def close(self) -> None:
        """Ends all workers, at the latest after four seconds."""
        there = [w for w in self._workers if w]
        for worker in there:
            worker.process.terminate()
        deadline = time.monotonic() + 2.0
        for worker in there:
            worker.close(max(0.0, deadline - time.monotonic()))
        self._workers = [None] * len(self._workers)

    def _settled(self, worker: Worker, slot: int) -> Worker:
        gpu, threads = self.slots[slot]
        if gpu is not None:
            worker.call(_lease, gpu)
        if self._machine.threads is not None:
            worker.call(self._machine.threads, threads)
        return worker


def _forkserver(preload: Sequence[str]) -> ForkServerContext:
    """Starts the process from which workers are forked; Ctrl-C reaches it too and is for the parent alone."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sweeps.launcher.preload", *preload])
    resource_tracker.ensure_running()  # which lets Ctrl-C through again when it starts
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children inherit it
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)
    return context


def _lease(gpu: str) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu


def _slots(gpus: int, limits: Limits, most: int) -> list[tuple[str | None, int]]:
    """For each worker the GPU it sees, if any, and its CPU threads."""
    cores = len(os.sched_getaffinity(0))
    if gpus:
        named = [g.strip() for g in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if g.strip()]
        names: list[Any] = (named or [str(n) for n in range(gpus)])[:gpus] * limits.slots_per_gpu
        count = min(limits.workers or len(names), len(names))
    else:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
        count = limits.workers or min(cores, max(1, memory // MEMORY))
        names = [None] * count
    count = max(1, min(count, most))
    return [(name, max(1, cores // count)) for name in names[:count]]
