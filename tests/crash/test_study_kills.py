"""A search that is killed again and again ends with as many trials and runs as were asked for, and no more."""

import random
from collections import Counter

import pytest

from tests.crash.harness import results, until
from tests.crash.resuming import killed_until_done

SEARCH = ("hydra/sweeper=optuna", "hydra.sweeper.study=killed", "hydra.launcher.workers=2")
RUNS = ("experiment=rook", "device=cpu", "optim.epochs=30", "optim.lr=tag(log,interval(1e-3,1))", "conv=same,full")


@pytest.mark.parametrize(
    ("trials", "seeds", "kills"),
    [(5, 2, 1), pytest.param(40, 3, 20, marks=[pytest.mark.crash, pytest.mark.timeout(3000)])],
)
def test_a_killed_search_ends_with_exactly_its_trials_and_runs(trials, seeds, kills, folder, start):
    import optuna

    moments, runs = random.Random(trials), trials * seeds

    def moment(sweep, left):
        """Soon after some more runs have ended, such that there is work for all kills; or while the search starts."""
        there = len(results(folder))
        more = moments.randint(0, min(2 * (runs - there) // (left + 1), runs - there - 3))
        if not more:
            return sweep.ended(moments.uniform(0, 5))
        assert until(lambda: len(results(folder)) >= there + more or sweep.ended(0))
        return sweep.ended(moments.uniform(0, 0.1))

    command = (*SEARCH, *RUNS, f"hydra.sweeper.n_trials={trials}", f"hydra.sweeper.seeds={seeds}")
    done = killed_until_done(start, folder, command, kills, moment)
    assert done.kills == kills
    found = optuna.load_study(study_name="killed", storage=f"sqlite:///{folder}/optuna.db").trials
    assert Counter(trial.state.name for trial in found) == {"COMPLETE": trials}
    assert len(results(folder)) == runs
    print(f"{done.kills} kills, {done.met} of them in the middle of a run")
