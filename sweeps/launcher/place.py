"""Where runs are computed, as the launcher sees it: worker processes of this machine, or tasks of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sweeps.launcher.pool import Limits
from sweeps.launcher.source import Job
from sweeps.launcher.worker import PATIENCE


class Slot(Protocol):
    """Computes a job at a time.

    Args:
        job: which it has.
        began: when, by the monotonic clock; infinite where its timeout is watched elsewhere.
    """

    job: Job | None
    began: float

    def call(self, function: Callable[..., Any], *arguments: Any, within: float = PATIENCE) -> Any:
        """Computes a function there and waits for its value, so many seconds at most.

        Raises: Died: it ended meanwhile, or did not answer. RuntimeError: the function raised, or nothing but jobs is
            computed there.
        """

    def start(self, job: Job) -> None:
        """Gives it a job.

        Raises: Died: it has ended before.
        """

    def receive(self) -> tuple[str, Any]:
        """The next message: a row, which wants `answer`, or the outcome.

        Raises: Died: it ended without.
        """

    def answer(self, go_on: bool) -> None:
        """Says whether the run that sent a row is to go on."""


class Slots(Protocol):
    """All that a sweep has; their number is how many jobs there may be at once."""

    def __len__(self) -> int: ...

    @property
    def running(self) -> Sequence[Slot]:
        """Those that have a job."""

    @property
    def full(self) -> bool:
        """Whether all have one."""

    def idle(self) -> Slot:
        """One without; not to be asked where all have one.

        Raises: Died: it ended at its start.
        """

    def speaking(self, seconds: float) -> Iterator[Slot]:
        """Those that have a message or have ended, after about so many seconds at most."""

    def replace(self, slot: Any) -> None:
        """Ends one; another takes its place."""

    def close(self) -> None:
        """Ends all."""


class Place(Protocol):
    """Has slots."""

    def pool(self, limits: Limits, most: int) -> Slots:
        """Slots for a sweep of at most so many runs."""
