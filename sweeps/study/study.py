"""A study as a source of jobs: Optuna proposes trials, a trial is a run a seed, and what they give is told to it."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from sweeps.errors import UserError
from sweeps.launcher.source import Job, Outcome, Row
from sweeps.study.settings import Settings, rehearse
from sweeps.study.space import Space, overrides
from sweeps.study.store import claims
from sweeps.study.trials import RUNS, Trial, Trials

# Makes a run of a trial from its overrides and the number of its seed; UserError: the values do not go together.
Jobs = Callable[[list[str], int], Job]


@dataclass(eq=False)
class _Seeds:
    """The runs of a trial so far: where, what the finished ones gave (a list an objective), and the one at hand."""

    trial: Trial
    runs: list[str] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    job: Job | None = None


class Study:
    """The jobs of an Optuna study, up to a total of trials to which those of earlier commands count.

    Args:
        settings: of the study.
        space: what is searched.
        fixed: what is the same in all runs, plain nested values; another study of this name is refused.
        runs: folder of the run directories; claims lie beside them.
        jobs: makes a run of a trial.
        span: epochs that a run may have, so that reports of a trial's seeds follow each other.
    Raises: UserError: a setting that is not allowed, or another search under this name; in one line.
    """

    def __init__(
        self, settings: Settings, space: Space, fixed: dict[str, Any], runs: Path, jobs: Jobs, span: int = 1000
    ) -> None:
        rehearse(settings, space)
        self.settings = settings
        self.failed: list[str] = []  # trials of this command, with reasons
        self._trials = Trials(settings, space, fixed, claims(settings, runs))
        self.total = settings.seeds * self._trials.to_do
        self._jobs, self._span = jobs, span
        self._running: list[_Seeds] = []
        self._waiting: deque[_Seeds] = deque()  # for their next seed
        self._over = False

    def next(self) -> Job | None:
        """The next seed of a trial that has begun, else the first of another trial."""
        while seeds := self._next():
            try:
                job = self._jobs(overrides(seeds.trial.params), len(seeds.values))
            except (UserError, OSError) as error:  # a file may be there again for the next command
                self._fail(seeds, " ".join(str(error).split()), settled=isinstance(error, UserError))
                continue
            seeds.job = replace(job, label=f"trial {seeds.trial.number}: {job.label}")
            seeds.runs.append(str(job.record.path))
            self._trials.started(seeds.trial, seeds.runs)
            return seeds.job
        return None

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Ends a trial when its last seed has ended, or when one was pruned or failed."""
        seeds = self._of(job)
        if outcome.status == "pruned":
            self._running.remove(seeds)
            self._trials.prune(seeds.trial)
        elif outcome.result is None:
            self._fail(seeds, outcome.reason, settled=outcome.settled)
        else:
            if outcome.status == "reused":
                for row in job.record.history() if self.settings.prunes else []:  # a kill may have lost its reports
                    self._note(seeds, row)
            self._score(seeds, outcome.result["metrics"])

    def report(self, job: Job, row: Row) -> bool:
        """Lets the pruner see the objective's mean: of finished seeds, and of this row's validation."""
        seeds = self._of(job)
        if not self.settings.prunes or not self._note(seeds, row):
            return True
        return not self._trials.is_hopeless(seeds.trial)

    def summary(self) -> list[str]:
        """Where the study stands, its best trials, and which failed in this command; a line each."""
        lasts = self._trials.lasts()
        states = Counter(t.state.name.lower() for t in lasts)
        counts = [f"{states[s]} {s}" for s in ("complete", "pruned", "fail", "running") if states[s]]
        lines = [f"study {self.settings.study}: {len(lasts)} of {self._trials.most} trials: {', '.join(counts)}"]
        for trial in self._trials.best() if states["complete"] else []:
            gave = zip(self.settings.objectives, trial.values, strict=True)
            values = ", ".join(f"{name} {value:g}" for name, value in gave)
            where = " ".join(trial.user_attrs[RUNS])
            lines.append(f"best: trial {trial.number}: {values}; {' '.join(overrides(trial.params))}; {where}")
        return lines + [f"failed: {line}" for line in self.failed]

    def _next(self) -> _Seeds | None:
        if self._waiting:
            return self._waiting.popleft()
        trial = None if self._over else self._trials.another()
        if trial is None:
            return None
        self._running.append(_Seeds(trial))
        return self._running[-1]

    def _score(self, seeds: _Seeds, metrics: dict[str, float]) -> None:
        lacking = next((name for name in self.settings.objectives if name not in metrics), None)
        if lacking:
            self._over = True  # every other trial would fail alike
            self._fail(seeds, f"no metric {lacking}; its run has {', '.join(sorted(metrics))}", settled=True)
            return
        bad = [f"{name} {value}" for name, value in metrics.items() if not math.isfinite(value)]
        if bad:  # objectives or not: such a run shows nothing
            self._fail(seeds, f"not finite: {', '.join(bad)}", settled=True)
            return
        values = [float(metrics[name]) for name in self.settings.objectives]
        seeds.values.append(values)
        if len(seeds.values) < self.settings.seeds:
            self._waiting.append(seeds)
            return
        self._running.remove(seeds)
        self._trials.tell(seeds.trial, [fmean(of_one) for of_one in zip(*seeds.values, strict=True)])

    def _note(self, seeds: _Seeds, row: Row) -> bool:
        """Keeps an epoch's value; false: the row has none."""
        metric = next(iter(self.settings.objectives)).removesuffix("_validation")
        value = row.get(f"validation_{metric}")
        epoch = row.get("epoch")
        if value is None or epoch is None or not (math.isfinite(value) and math.isfinite(epoch)):
            return False
        step = len(seeds.values) * self._span + int(epoch)
        self._trials.note(seeds.trial, step, fmean([*(v[0] for v in seeds.values), value]))
        return True

    def _fail(self, seeds: _Seeds, reason: str, settled: bool) -> None:
        self._running.remove(seeds)
        self.failed.append(f"trial {seeds.trial.number}: {reason}")
        self._trials.fail(seeds.trial, reason, settled)

    def _of(self, job: Job) -> _Seeds:
        return next(seeds for seeds in self._running if seeds.job is job)
