"""What a sweep is made of: jobs, where they come from, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sweeps.records import Record

Row = dict[str, float]
# Told each epoch's row by a run; may raise Pruned.
Report = Callable[[Row], None]


class Pruned(Exception):  # noqa: N818 - not an error: the run was not worth finishing
    """Raised in a run whose source wants no more of it."""


@dataclass(frozen=True)
class Job:
    """A run that can be computed.

    Args:
        record: its directory.
        label: a few words for people.
        work: computes it, leaves its record and returns the result; can be sent to another process.
        force: compute although a finished run is at hand.
    """

    record: Record
    label: str
    work: Callable[[Report], dict[str, Any]]
    force: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Args:
        status: `busy`: another sweep is computing it at this moment.
        result: of a job that is done or reused.
        reason: one line on why it failed.
        mistake: the user's, which no second attempt mends.
        settled: another attempt would fail alike, now and later.
        seconds: it took.
    """

    status: Literal["done", "reused", "pruned", "failed", "busy"]
    result: dict[str, Any] | None = None
    reason: str = ""
    mistake: bool = False
    settled: bool = False
    seconds: float = 0.0


class Source(Protocol):
    """Decides which runs exist: a grid knows all from the start, a study asks as results come in."""

    total: int

    def next(self) -> Job | None:
        """A job that may start now; None: not before some outcome, or no more at all when nothing runs."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Takes what became of a job, once for each job given."""

    def report(self, job: Job, row: Row) -> bool:
        """Takes an epoch's row of a running job and says whether it is to go on."""


class Grid:
    """The jobs of a list, in its order.

    Args:
        jobs: all validated.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = list(jobs)
        self.total = len(self.jobs)
        self._waiting = iter(self.jobs)

    def next(self) -> Job | None:
        """The next of the list."""
        return next(self._waiting, None)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Nothing depends on it."""

    def report(self, job: Job, row: Row) -> bool:
        """Every run is finished."""
        return True
