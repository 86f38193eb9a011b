"""Tasks of Ray: of a cluster that runs, or of a Ray of the sweep's own on this machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from sweeps.cluster.cluster import Cluster, Refused
from sweeps.cluster.task import Task
from sweeps.launcher.pool import Machine
from sweeps.launcher.source import Outcome
from sweeps.launcher.worker import Died

# Read by Ray when it is imported. 0: a Ray that is started on this machine listens on 127.0.0.1 alone.
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


class Ray(Cluster):
    """Tasks of Ray.

    Args:
        machine: see `Cluster`.
        init: how to connect, or what a Ray of our own has: arguments of `ray.init`.
        remote: what a task needs: options of `ray.remote`.
    """

    def __init__(self, machine: Machine, init: dict[str, Any], remote: dict[str, Any]) -> None:
        super().__init__(machine, max(1, int(remote.get("num_cpus") or 1)))
        self._init, self._remote = init, remote
        self._ray: Any = None
        self._call: Any = None

    def __str__(self) -> str:
        return f"Ray ({self._ray.cluster_resources().get('CPU', 0):g} CPUs)"

    def open(self) -> None:
        """Connects, or starts Ray here."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if self._init.get("address") in (None, "local") and "RAY_ADDRESS" not in os.environ:
            os.environ.setdefault(LOOPBACK, "0")
        try:
            import ray
        except ImportError:
            raise Refused("Ray: ray is not installed; pip install 'equivariance[cluster]'") from None
        kept = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**self._init)
            self._call = ray.remote(_call).options(max_retries=0, **self._remote)
        except Exception as error:  # of options that it cannot take, or a cluster that is not there: of no one type
            raise Refused(f"Ray: {' '.join(str(error).split())}") from None
        finally:
            signal.signal(signal.SIGTERM, kept)
        self._ray = ray

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        """Queues tasks; Ray starts them as their resources get free."""
        return [self._call.remote(task) for task in tasks]

    def ended(self, handles: Sequence[Any], seconds: float) -> list[Any]:
        """Looks which ones Ray has ended."""
        found = self._ray.wait(list(handles), num_returns=len(handles), timeout=0)[0]
        if not found:
            time.sleep(seconds)  # a wait of Ray's would make a Ctrl-C of every signal
        return found

    def outcome(self, handle: Any) -> Outcome:
        """What a task returned.

        Raises: Died: its worker was killed, or it could not be started.
        """
        try:
            return self._ray.get(handle)
        except self._ray.exceptions.RayError as error:
            line = str(error).strip().splitlines()[-1] if str(error).strip() else ""
            raise Died(f"{type(error).__name__}: {line}") from error

    def cancel(self, handles: Sequence[Any]) -> None:
        """Kills tasks."""
        for handle in handles:
            self._ray.cancel(handle, force=True)

    def close(self) -> None:
        """Disconnects; ends Ray where it is our own."""
        if self._ray is not None:
            self._ray.shutdown()


def _call(task: Task) -> Outcome:
    return task()
