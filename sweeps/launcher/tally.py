"""What became of the runs of a sweep: a line each, a summary, an exit code."""

from __future__ import annotations

from sweeps.experiments import headline
from sweeps.launcher.attempt import log
from sweeps.launcher.source import Job, Outcome
from sweeps.terminal import complain, say


class Tally:
    """Counts outcomes and says each.

    Args:
        total: runs there will be; None: not known.
    """

    def __init__(self, total: int) -> None:
        self.total, self.code = total, 0
        self.counts = {"done": 0, "reused": 0, "certified": 0, "pruned": 0}
        self.failed: list[str] = []

    def add(self, job: Job, outcome: Outcome) -> None:
        """Takes the final outcome of a job."""
        if outcome.status == "failed":
            self._add_failed(job, outcome)
            return
        result = outcome.result
        certified = outcome.status == "done" and result is not None and bool(result["notes"].get("certified"))
        self.counts["certified" if certified else outcome.status] += 1
        if result is None:
            say(f"{self._place()} {job.label}: {outcome.status} ({outcome.seconds:.1f} s)")
            return
        if result["notes"].get("skipped"):
            bad = str(result["notes"]["skipped"]).split("\n")
            say(f"  skipped {len(bad)} picture{'s' * (len(bad) > 1)}: {'; '.join(bad[:3])}{' …' * (len(bad) > 3)}")
        how = "reused" if outcome.status == "reused" else f"{outcome.seconds:.1f} s"
        say(f"{self._place()} {job.label}: {headline(job.record.experiment, result)} ({how}, {job.record.path})")

    def sum_up(self) -> None:
        """Says what all came to, where there was more than one run."""
        if self.total > 1:
            pruned = f", {self.counts['pruned']} pruned" if self.counts["pruned"] else ""
            say(
                f"{self.total} runs: {self.counts['done']} computed, {self.counts['certified']} certified,"
                f" {self.counts['reused']} reused{pruned}, {len(self.failed)} failed"
            )
            for line in self.failed:
                say(f"  failed: {line}")

    def _add_failed(self, job: Job, outcome: Outcome) -> None:
        self.code = max(self.code, 2 if outcome.mistake else 1)
        where = "" if outcome.mistake else f" (see {log(job.record)})"
        self.failed.append(f"{job.label}: {outcome.reason}{where}")
        complain(f"error: {outcome.reason if outcome.mistake else self.failed[-1]}")

    def _place(self) -> str:
        return f"[{sum(self.counts.values()) + len(self.failed)}/{self.total}]"
