"""A study: totals, the same trials after any kill, failures, pruning, several objectives, two commands at once."""

import json
import random
import subprocess
import sys
from wsgiref.util import setup_testing_defaults

import pytest

from sweeps.errors import UserError
from sweeps.launcher.source import Outcome
from tests.sweeps.searches import DISCRETE, SPACE, Search, accuracy

SAMPLERS = [
    {"name": "TPESampler", "n_startup_trials": 3},
    {"name": "GridSampler"},
    *(
        pytest.param(choice, marks=pytest.mark.slow)
        for choice in (
            {"name": "TPESampler", "n_startup_trials": 3, "multivariate": True},
            {"name": "QMCSampler"},
            {"name": "RandomSampler"},
            {"name": "NSGAIISampler", "population_size": 3},
            {"name": "BruteForceSampler"},
            {"name": "GPSampler", "n_startup_trials": 3},
        )
    ),
]


def space_for(sampler):
    return DISCRETE if sampler["name"] in ("GridSampler", "BruteForceSampler") else SPACE


def killed(search, chance):
    """A command that is killed at a random moment: before, in or after a run; false: it came to its end."""
    study = search.begin()
    while job := study.next():
        if chance.random() < 0.2:
            break
        outcome = search.run(job)
        if chance.random() < 0.2:
            break
        study.ended(job, outcome)
    search.kill()
    return job is not None


def test_the_number_of_trials_is_a_total_and_the_same_command_goes_on(tmp_path):
    search = Search(tmp_path, n_trials=4, seeds=2)
    assert search.drive().total == 8
    assert len(search.computed) == len(set(search.computed)) == 8
    assert search.drive().total == 0
    more = Search(tmp_path, n_trials=6, seeds=2)
    assert more.drive().total == 4
    assert len(more.computed) == 4
    assert more.states() == ["COMPLETE"] * 6


def test_the_objective_is_the_mean_over_the_seeds(tmp_path):
    search = Search(tmp_path, n_trials=3, seeds=4)
    search.drive()
    for trial in search.trials():
        params = {key: str(value) for key, value in trial.params.items()}
        assert trial.value == pytest.approx(sum(accuracy(params, seed) for seed in range(4)) / 4, abs=1e-12)
        assert len(trial.user_attrs["runs"]) == 4


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler["name"])
def test_a_study_that_is_killed_again_and_again_ends_as_an_uninterrupted_one(tmp_path, sampler):
    whole, torn = (
        Search(tmp_path / name, n_trials=8, seeds=2, sampler=sampler, space=space_for(sampler)) for name in "ab"
    )
    for search in (whole, torn):
        search.folder.mkdir()
    whole.drive()
    chance = random.Random(7)
    kills = 0
    while killed(torn, chance):
        kills += 1
    assert kills > 2
    assert torn.told() == whole.told()
    assert len(set(torn.computed)) == len(torn.computed) == len(whole.computed)


def test_another_seed_of_the_sampler_gives_other_trials_and_none_twice(tmp_path):
    params = []
    for seed in (0, 1):
        search = Search(tmp_path, study=f"seed {seed}", n_trials=6, sampler={"name": "RandomSampler", "seed": seed})
        search.drive()
        params += [t.params["optim.lr"] for t in search.trials()]
    assert len(set(params)) == 12


def test_trials_of_many_slots_left_by_a_kill_are_all_taken_up(tmp_path):
    search = Search(tmp_path, n_trials=6, seeds=2)
    study = search.begin()
    left = [study.next() for _ in range(4)]
    search.kill()
    assert search.states() == ["RUNNING"] * 4
    study = search.begin()
    assert [study.next().label for _ in range(4)] == [job.label for job in left]
    search.kill()
    search.drive(slots=3)
    assert search.states() == ["COMPLETE"] * 6
    assert len(search.computed) == 12


def test_a_trial_that_another_process_runs_is_left_alone(tmp_path):
    one, other = Search(tmp_path, n_trials=1), Search(tmp_path, n_trials=1)
    job = one.begin().next()
    assert other.begin().next() is None
    one.study.ended(job, one.run(job))
    assert other.study.next() is None
    assert one.states() == ["COMPLETE"]


def test_a_grid_has_no_more_trials_than_points_and_visits_each(tmp_path):
    search = Search(tmp_path, n_trials=50, sampler={"name": "GridSampler"}, space=DISCRETE)
    assert search.drive().total == 10
    assert len({tuple(t.params.items()) for t in search.trials()}) == 10


class TestFailures:
    def test_a_failed_trial_counts_now_and_is_tried_anew_once_by_the_next_command(self, tmp_path):
        broken = True

        def sometimes(params, seed):
            if broken and params["conv"] == "full":
                raise ArithmeticError("out of memory")
            return accuracy(params, seed)

        search = Search(tmp_path, sometimes, n_trials=8)
        study = search.drive()
        bad = search.states().count("FAIL")
        assert 0 < bad < 8
        assert len(search.states()) == 8
        assert study.failed[0].endswith("out of memory")
        assert search.trials()[int(study.failed[0].split()[1].strip(":"))].user_attrs["reason"] == "out of memory"

        assert search.drive().total == bad  # still broken: each once more, and no end without an end
        assert search.states().count("FAIL") == 2 * bad
        broken = False
        assert search.drive().total == bad
        assert search.states().count("COMPLETE") == 8
        assert search.drive().total == 0
        assert len(search.trials()) == 8 + 2 * bad
        assert "8 of 8 trials: 8 complete" in search.study.summary()[0]

    def test_a_further_attempt_has_the_values_of_the_failed_one(self, tmp_path):
        fails = [True]

        def once(params, seed):
            if fails.pop() if fails else False:
                raise ArithmeticError("lost")
            return accuracy(params, seed)

        search = Search(tmp_path, once, n_trials=3)
        search.drive()
        search.drive()
        assert search.states() == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
        assert search.trials()[3].params == search.trials()[0].params

    def test_two_commands_try_a_failed_trial_once(self, tmp_path):
        def never(params, seed):
            raise ArithmeticError("lost")

        one, other = (Search(tmp_path, never, n_trials=1) for _ in range(2))
        one.drive()
        one.begin()
        other.begin()
        assert one.study.next() is not None
        assert other.study.next() is None

    def test_not_a_number_is_a_failure_that_another_attempt_would_repeat(self, tmp_path):
        search = Search(tmp_path, lambda params, seed: float("nan") if params["conv"] == "full" else 0.5, n_trials=8)
        study = search.drive()
        bad = search.states().count("FAIL")
        assert 0 < bad < 8
        assert "not finite: metrics.accuracy nan" in study.failed[0]
        assert search.drive().total == 0
        assert len(search.states()) == 8

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_so_is_any_other_metric_whatever_the_objective(self, tmp_path, bad):
        study = (search := Search(tmp_path, n_trials=1)).begin()
        study.ended(study.next(), Outcome("done", {"metrics": {"accuracy": 0.5, "loss": bad}}))
        assert study.failed == [f"trial 0: not finite: loss {bad}"]
        assert search.states() == ["FAIL"]
        assert search.drive().total == 0

    def test_a_metric_that_runs_do_not_have_ends_the_study_at_once(self, tmp_path):
        search = Search(tmp_path, n_trials=8, objectives={"acuracy": "maximize"})
        study = search.drive()
        assert search.states() == ["FAIL"]
        assert study.failed == ["trial 0: no metric acuracy; its run has accuracy"]

    def test_values_that_do_not_go_together_fail_their_trial_alone(self, tmp_path):
        search = Search(tmp_path, n_trials=8)
        make = search.job

        def picky(overrides, seed):
            if "conv=full" in overrides:
                raise UserError("conv=full: not with this")
            return make(overrides, seed)

        search.job = picky
        search.drive()
        assert {t.params["conv"]: t.state.name for t in search.trials()} == {"same": "COMPLETE", "full": "FAIL"}
        assert len(search.states()) == 8
        assert search.drive().total == 0  # another attempt would fail alike

    def test_a_file_that_cannot_be_read_fails_its_trial_until_the_next_command(self, tmp_path):
        search = Search(tmp_path, n_trials=2)
        make, gone = search.job, [OSError("data.root: stale file handle")]

        def job(overrides, seed):
            if gone:
                raise gone.pop()
            return make(overrides, seed)

        search.job = job
        assert search.drive().failed == ["trial 0: data.root: stale file handle"]
        assert search.drive().total == 1
        assert search.states() == ["FAIL", "COMPLETE", "COMPLETE"]

    @pytest.mark.parametrize("fault", [TypeError, AttributeError, ValueError, KeyError])
    def test_a_fault_in_the_code_is_seen_and_costs_no_trial(self, tmp_path, fault):
        search = Search(tmp_path, n_trials=3)
        make = search.job

        def broken(overrides, seed):
            raise fault("of ours")

        search.job = broken
        with pytest.raises(fault, match="of ours"):
            search.drive()
        search.kill()
        assert search.states() == ["RUNNING"]
        search.job = make
        search.drive()
        assert search.states() == ["COMPLETE"] * 3


MEDIAN = {"name": "MedianPruner", "n_startup_trials": 2}


class TestPruning:
    @staticmethod
    def learning(params, seed):
        """Rises over ten epochs to what the learning rate allows."""
        return [accuracy(params, seed) * epoch / 10 for epoch in range(1, 11)]

    def test_a_run_worse_than_most_is_ended_and_counts(self, tmp_path):
        search = Search(tmp_path, self.learning, n_trials=12, pruner=MEDIAN)
        search.drive()
        states = search.states()
        assert len(states) == 12
        assert states.count("PRUNED") > 0
        assert len(search.computed) == 12  # each was begun
        best = max(t.value for t in search.trials() if t.state.name == "COMPLETE")
        assert all(t.value < best for t in search.trials() if t.state.name == "PRUNED")
        assert search.drive().total == 0

    def test_seeds_report_one_after_another_the_mean_so_far(self, tmp_path):
        search = Search(tmp_path, self.learning, n_trials=1, seeds=2, pruner=MEDIAN)
        search.drive()
        (trial,) = search.trials()
        params = {key: str(value) for key, value in trial.params.items()}
        first, second = self.learning(params, 0), self.learning(params, 1)
        expected = dict(enumerate(first, 1))
        expected |= {10 + n: (first[-1] + v) / 2 for n, v in enumerate(second, 1)}
        assert trial.intermediate_values == pytest.approx(expected)

    def test_it_survives_kills_too(self, tmp_path):
        whole, torn = (Search(tmp_path / n, self.learning, n_trials=6, seeds=2, pruner=MEDIAN) for n in "ab")
        for search in (whole, torn):
            search.folder.mkdir()
        whole.drive()
        chance = random.Random(3)
        while killed(torn, chance):
            pass
        assert "PRUNED" in torn.states()
        assert torn.told() == whole.told()
        assert [t.intermediate_values for t in torn.trials()] == [t.intermediate_values for t in whole.trials()]

    def test_rows_without_the_objective_prune_nothing(self, tmp_path):
        search = Search(tmp_path, n_trials=1, pruner=MEDIAN)
        job = search.begin().next()
        assert search.study.report(job, {"epoch": 1.0, "train_loss": 0.1})
        assert search.trials()[0].intermediate_values == {}


def test_several_objectives_end_with_those_that_no_other_beats(tmp_path):
    def both(params, seed):
        return {"accuracy": accuracy(params, seed), "gmacs": {"same": 1.0, "full": 2.0}[params["conv"]]}

    aims = {"accuracy": "maximize", "gmacs": "minimize"}
    search = Search(tmp_path, both, n_trials=10, seeds=2, objectives=aims)
    lines = search.drive().summary()
    best = [line for line in lines if line.startswith("best: ")]
    values = [t.values for t in search.trials()]
    front = [v for v in values if not any(o[0] >= v[0] and o[1] <= v[1] and o != v for o in values)]
    assert len(best) == len(front)
    assert f"accuracy {max(v[0] for v in front):g}" in best[0]
    assert "runs/quadrant/" in best[0]


def test_the_summary_names_the_best_trial_with_its_values_and_runs(tmp_path):
    search = Search(tmp_path, n_trials=5, seeds=2)
    lines = search.drive().summary()
    best = max(search.trials(), key=lambda t: t.value)
    assert lines[0] == "study s: 5 of 5 trials: 5 complete"
    assert lines[1].startswith(f"best: trial {best.number}: accuracy {best.value:g}; optim.lr=")
    assert lines[1].endswith(" ".join(best.user_attrs["runs"]))
    assert len(lines) == 2


def test_a_job_is_named_after_its_trial(tmp_path):
    search = Search(tmp_path, n_trials=2)
    study = search.begin()
    study.next()
    assert study.next().label.startswith("trial 1: optim.lr=")


def test_a_trial_that_somebody_queued_by_hand_is_not_counted(tmp_path):
    import optuna

    search = Search(tmp_path, n_trials=2)
    search.begin()
    optuna.load_study(study_name="s", storage=search.settings.storage).enqueue_trial({"conv": "same"})
    search.drive()
    assert search.states() == ["WAITING", "COMPLETE", "COMPLETE"]


def test_an_outcome_without_a_result_is_a_failure(tmp_path):
    search = Search(tmp_path, n_trials=1)
    job = search.begin().next()
    search.study.ended(job, Outcome("failed", reason="killed by SIGKILL (3 tries)"))
    assert search.states() == ["FAIL"]
    assert search.study.failed == ["trial 0: killed by SIGKILL (3 tries)"]


DRIVER = """
import sys, time
from pathlib import Path
from tests.sweeps.searches import Search, accuracy

def slowly(params, seed):
    time.sleep(0.02)
    return accuracy(params, seed)

search = Search(Path(sys.argv[1]), slowly, n_trials=12, seeds=2)
search.drive(slots=2)
print(*search.computed)
"""


def test_two_commands_at_once_share_the_trials_and_no_run_is_computed_twice(tmp_path, root):
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    computed = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    one, other = (set(runs) for runs in computed)
    assert len(one) + len(other) == len(one | other) == 24
    assert Search(tmp_path).states() == ["COMPLETE"] * 12


def test_the_dashboard_opens_a_study(tmp_path):
    dashboard = pytest.importorskip("optuna_dashboard", reason="the extra 'server' is not installed")
    search = Search(tmp_path, n_trials=3, objectives={"accuracy": "maximize"})
    search.drive()
    asked, said = {"PATH_INFO": "/api/studies/1", "QUERY_STRING": "after=0"}, []
    setup_testing_defaults(asked)
    page = b"".join(dashboard.wsgi(search.settings.storage)(asked, lambda status, *rest: said.append(status)))
    assert said == ["200 OK"]
    shown = json.loads(page)
    assert shown["name"] == "s"
    assert [trial["state"] for trial in shown["trials"]] == ["Complete"] * 3
    assert shown["objective_names"] == ["accuracy"]
