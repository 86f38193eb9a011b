"""Tells a mirror of runs in the background, so that no run waits for MLflow and none is lost with it."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sweeps.launcher.source import Outcome
from sweeps.records import Record
from sweeps.terminal import complain
from sweeps.tracking.mirror import Mirror
from sweeps.tracking.store import failures

Task = Callable[[], None]
# A run is shown as RUNNING after so many seconds: one that has ended by then is logged in one go, at half the cost.
DELAY = 1.0
# Seconds between looks at what has become due.
TICK = 0.2


class Mirroring:
    """One thread that does all the talking, from the first run on; at its first failure it stops with one warning.

    Args:
        mirror: the mirror; used by the thread alone, but for what asks nobody.
        sweep: name of the sweep under which runs are grouped.
    """

    def __init__(self, mirror: Mirror, sweep: str | None) -> None:
        self._mirror, self._sweep = mirror, sweep
        self._thread = threading.Thread(target=self._serve, name="mlflow", daemon=True)
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._waiting: dict[Path, tuple[float, Task]] = {}  # when due, what to do; in the order of time
        self._done = self._results = self._logged = 0
        self._failed = False

    def begin(self, record: Record, label: str) -> None:
        """A run has started."""
        begin = partial(self._mirror.begin, record, label, self._sweep, time.time())
        self._waiting.setdefault(record.path, (time.monotonic() + DELAY, begin))
        self._awake(record)

    def ended(self, record: Record, outcome: Outcome) -> None:
        """A run is done, reused (and logged if the mirror lacks it), failed or pruned."""
        if outcome.result is not None:
            self._waiting.pop(record.path, None)
            if not self._thread.ident and self._mirror.mirrored(record, outcome.result):
                return  # without MLflow, whose import alone takes seconds
            self._awake(record)
            self._results += 1
            self._tasks.put(partial(self._log, record, outcome))
        elif outcome.status == "failed":
            begin = self._waiting.pop(record.path, None)
            if begin:
                self._tasks.put(begin[1])
            self._tasks.put(partial(self._mirror.end, record, "FAILED", outcome.reason))
        else:
            self.interrupted(record, outcome.status)

    def interrupted(self, record: Record, reason: str = "interrupted") -> None:
        """A run was stopped."""
        if self._waiting.pop(record.path, None) is None:
            self._tasks.put(partial(self._mirror.end, record, "KILLED", reason))

    def close(self, patience: float = 30.0) -> None:
        """Waits until all is told, as long as there is progress.

        Args:
            patience: seconds without any after which it is given up.
        """
        if not self._thread.ident:
            return
        self._waiting.clear()
        self._tasks.put(None)
        seen = -1
        while self._thread.is_alive() and seen != self._done:
            seen = self._done
            self._thread.join(patience)
        if self._thread.is_alive() and not self._failed:
            self._warn(f"no answer in {patience:g} s")
        missing = self._results - self._logged
        if missing:
            complain(
                f"warning: {missing} of {self._results} finished runs are not in MLflow;"
                " log them with: python -m sweeps sync"
            )

    def _awake(self, record: Record) -> None:
        if not self._thread.ident:
            self._tasks.put(partial(self._mirror.prepare, record.experiment))
            self._thread.start()

    def _serve(self) -> None:
        try:
            while (task := self._next()) and not self._failed:
                task()
                self._done += 1
        except Exception as error:  # none costs a run; what is neither MLflow's nor the disk's is a fault to be seen
            if not isinstance(error, (OSError, *failures())):
                complain("".join(traceback.format_exception(error)).rstrip())
            self._warn((str(error).splitlines() or [type(error).__name__])[0][:160])

    def _next(self) -> Task | None:
        while True:
            for path, (due, begin) in list(self._waiting.items())[:1]:
                if due <= time.monotonic() and self._waiting.pop(path, None) is not None:
                    return begin
            try:
                return self._tasks.get(timeout=TICK)
            except queue.Empty:
                continue

    def _log(self, record: Record, outcome: Outcome) -> None:
        assert outcome.result is not None
        self._mirror.log(record, outcome.result, self._sweep)
        self._logged += 1

    def _warn(self, reason: str) -> None:
        if self._failed:
            return
        self._failed = True
        complain(
            f"warning: MLflow at {self._mirror.uri} cannot be reached ({reason}); runs go on and are kept;"
            " log them later with: python -m sweeps sync"
        )
