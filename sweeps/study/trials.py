"""The trials of a study, each run by one process at a time: begun, taken up after a kill, tried again, told.

Only the process that drives a study opens its storage. It holds a claim on each trial that it runs, so that a trial
which counts as running while its claim is free was left behind by a kill.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.claim import claim
from sweeps.plain import plain
from sweeps.study import sampling
from sweeps.study.settings import Settings
from sweeps.study.space import Space
from sweeps.study.store import open_study

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Attributes of a trial: its run directories; why it failed; that another attempt would fail alike; the number of the
# trial that failed and to which it is another attempt.
RUNS, REASON, SETTLED, INSTEAD = "runs", "reason", "settled", "instead of trial"


@dataclass(frozen=True, eq=False)
class Trial:
    """A trial that this process runs.

    Args:
        number: within the study.
        key: in the storage.
        params: the drawn values.
        held: its claim.
    """

    number: int
    key: int
    params: dict[str, Any]
    held: ExitStack


class Trials:
    """Access to the trials of a study.

    Args:
        settings: of the study.
        space: what is searched.
        fixed: what is the same in all runs, plain nested values.
        folder: of the claims.
    Raises: UserError: the storage cannot be opened, or holds another search under this name; in one line.
    """

    def __init__(self, settings: Settings, space: Space, fixed: dict[str, Any], folder: Path) -> None:
        self._settings, self._space, self._folder = settings, space, folder
        self._storage, self._study = open_study(settings, space, fixed, folder)
        self._running: list[Trial] = []
        self.most = int(min(settings.n_trials, sampling.size(settings.sampler, space)))
        lasts = self.lasts()
        self._again = deque(t.number for t in lasts if t.state.name == "FAIL" and SETTLED not in t.user_attrs)
        self.to_do = max(0, self.most - sum(t.state.is_finished() and t.number not in self._again for t in lasts))

    def another(self) -> Trial | None:
        """A trial left behind by a kill, else another try of one that failed, else a new one; None: no more."""
        with claim(self._folder / "ask", wait=True):  # of two that ask for the last trial, one gets it
            trials = self._all()
            return self._left_behind(trials) or self._failed_before(trials) or self._new(trials)

    def lasts(self) -> list[FrozenTrial]:
        """The trials that count: of a trial and its further attempts the last; none that somebody else has queued."""
        return _lasts(self._all())

    def best(self) -> list[FrozenTrial]:
        """The best trial, or with several objectives those that no other one beats; ordered by the first objective."""
        first_is_best = self._settings.directions[0] == "maximize"
        found = sorted(self._study.best_trials, key=lambda t: t.values[0], reverse=first_is_best)
        return found if len(self._settings.directions) > 1 else found[:1]

    def started(self, trial: Trial, runs: list[str]) -> None:
        """Keeps where its runs are."""
        self._storage.set_trial_user_attr(trial.key, RUNS, runs)

    def note(self, trial: Trial, step: int, value: float) -> None:
        """Keeps a value on the way, where pruners find it."""
        self._storage.set_trial_intermediate_value(trial.key, step, value)

    def is_hopeless(self, trial: Trial) -> bool:
        """Whether the pruner would end it now."""
        pruner = sampling.pruner(self._settings.pruner)
        return pruner.prune(self._study, self._storage.get_trial(trial.key))

    def tell(self, trial: Trial, values: list[float]) -> None:
        """Ends a trial with its objectives."""
        self._end(trial, "COMPLETE", values)

    def prune(self, trial: Trial) -> None:
        """Ends a trial that was not worth finishing."""
        self._end(trial, "PRUNED")

    def fail(self, trial: Trial, reason: str, settled: bool) -> None:
        """Ends a trial without objectives.

        Args:
            trial: which.
            reason: a line.
            settled: another attempt would fail alike.
        """
        self._storage.set_trial_user_attr(trial.key, REASON, plain(reason)[:1000])
        if settled:
            self._storage.set_trial_user_attr(trial.key, SETTLED, True)
        self._end(trial, "FAIL")

    def _end(self, trial: Trial, state: str, values: list[float] | None = None) -> None:
        from optuna.trial import TrialState

        self._study.tell(trial.number, values, TrialState[state], skip_if_finished=True)
        self._running.remove(trial)
        trial.held.close()

    def _left_behind(self, trials: list[FrozenTrial]) -> Trial | None:
        ours = {t.number for t in self._running}
        for found in (t for t in trials if t.state.name == "RUNNING" and t.number not in ours):
            trial = self._claimed(found)
            if trial and self._storage.get_trial(trial.key).state.name == "RUNNING":
                self._running.append(trial)
                return trial
            if trial:  # told since the list was read
                trial.held.close()
        return None

    def _failed_before(self, trials: list[FrozenTrial]) -> Trial | None:
        while self._again:
            failed = trials[self._again.popleft()]
            if all(t.user_attrs.get(INSTEAD) != failed.number for t in trials):
                return self._begun(failed, {INSTEAD: failed.number})
        return None

    def _new(self, trials: list[FrozenTrial]) -> Trial | None:
        if len(_lasts(trials)) >= self.most:
            return None
        settings = self._settings
        return self._begun(
            sampling.draw(settings.sampler, self._space, trials, settings.study, settings.directions), {}
        )

    def _begun(self, like: FrozenTrial, attributes: dict[str, int]) -> Trial:
        """A trial in the storage, whole, and claimed; nobody else asks meanwhile."""
        import optuna

        template = optuna.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=like.params,
            distributions=like.distributions,
            system_attrs=like.system_attrs,
            user_attrs=attributes,
        )
        key = self._storage.create_new_trial(self._study._study_id, template)
        trial = self._claimed(self._storage.get_trial(key))
        assert trial is not None
        self._running.append(trial)
        return trial

    def _claimed(self, trial: FrozenTrial) -> Trial | None:
        held = ExitStack()
        if held.enter_context(claim(self._folder / f"trial-{trial.number}")):
            return Trial(trial.number, trial._trial_id, trial.params, held)
        held.close()
        return None

    def _all(self) -> list[FrozenTrial]:
        return sorted(self._study.get_trials(deepcopy=False), key=lambda t: t.number)


def _lasts(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    replaced = {t.user_attrs.get(INSTEAD) for t in trials}
    return [t for t in trials if t.number not in replaced and t.state.name != "WAITING"]
