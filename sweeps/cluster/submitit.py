"""Tasks as jobs of SLURM, or as processes of this machine where SLURM is rehearsed, through submitit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sweeps.cluster.cluster import Cluster, Refused
from sweeps.cluster.task import Task
from sweeps.launcher.pool import Machine
from sweeps.launcher.source import Outcome
from sweeps.launcher.worker import Died

# Options that submitit has for every kind of cluster; it wants all others marked as SLURM's.
COMMON = {
    "name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node", "stderr_to_stdout",
}  # fmt: skip

# Seconds between looks at the jobs of SLURM, each of which asks a shared file system for every one.
POLL = 2.0


class Submitit(Cluster):
    """Jobs through submitit.

    Args:
        machine: see `Cluster`.
        kind: of cluster; local: this machine.
        folder: where submitit keeps what it sends and receives; shared by all nodes.
        options: of each job, as submitit names them; None: not given.
    """

    def __init__(
        self, machine: Machine, kind: Literal["slurm", "local"], folder: Path, options: dict[str, Any]
    ) -> None:
        super().__init__(machine, options.get("cpus_per_task") or 1)
        self._kind, self._options = kind, options
        self._folder = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._executor: Any = None
        self._keep = False  # what submitit left, because a job died or may still write

    def __str__(self) -> str:
        return "SLURM" if self._kind == "slurm" else "this machine through submitit"

    def open(self) -> None:
        """Checks the options.

        Raises: Refused: one is not known, or there is no SLURM here.
        """
        try:
            import submitit
        except ImportError:
            raise Refused(f"{self}: submitit is not installed; pip install 'equivariance[cluster]'") from None
        named = {key if key in COMMON else f"slurm_{key}": value for key, value in self._options.items()}
        try:
            self._executor = submitit.AutoExecutor(self._folder, cluster=self._kind)
            self._executor.update_parameters(**named)
        except Exception as error:  # an assertion, a NameError or another, of several lines
            raise Refused(f"{self}: {' '.join(str(error).split())}") from None

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        """Hands tasks over as one array of jobs.

        Raises: Refused: by sbatch.
        """
        try:
            return self._executor.submit_array([partial(_mortal, task) for task in tasks])
        except Exception as error:  # of submitit, of sbatch, or of the disk that both have half-way: of no one type
            raise Refused(f"{self}: {' '.join(str(error).split())}") from None

    def ended(self, handles: Sequence[Any], seconds: float) -> list[Any]:
        """Looks for results; submitit asks SLURM now and then for jobs that ended without."""
        found = [job for job in handles if job.done()]
        if not found:
            time.sleep(seconds if self._kind == "local" else max(seconds, POLL))
        return found

    def outcome(self, handle: Any) -> Outcome:
        """What a job returned.

        Raises: Died: it returned nothing.
        """
        try:
            if handle.paths.result_pickle.exists():
                return handle.result()
            how = f"ended as {handle.state} without a result" if self._kind == "slurm" else "ended without a result"
        except Exception:  # whatever its process raised, which its output shows
            how = "failed before the run began"
        self._keep = True
        raise Died(f"job {handle.job_id} {how}, output in {self._folder / handle.paths.stderr.name}")

    def cancel(self, handles: Sequence[Any]) -> None:
        """Ends jobs, on this machine before it returns."""
        self._keep = self._keep or bool(handles)
        if self._kind == "slurm":
            if handles:
                subprocess.run(["scancel", *(job.job_id for job in handles)], check=False)
            return
        for job in handles:
            if not job.done():
                os.kill(int(job.job_id), signal.SIGTERM)
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline and not all(job.done() for job in handles):
            time.sleep(0.05)

    def close(self) -> None:
        """Removes what submitit left, unless it is needed to see why a job died."""
        if not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)


def _mortal(task: Task) -> Outcome:
    """Computes a task that SIGTERM ends; submitit has jobs ignore it until SLURM kills them half a minute later."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return task()
