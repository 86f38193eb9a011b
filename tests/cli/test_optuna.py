"""hydra/sweeper=optuna as a user types it: searches, goes on, and refuses in one line before any work."""

import json
import random
import sys

import pytest

from equivariance import run
from tests import warm

STUDY = ["hydra/sweeper=optuna", "hydra.sweeper.study=mine"]
RUNS = ["experiment=rook", "device=cpu", "optim.epochs=3", "hydra.launcher.workers=1"]
SPACE = ["optim.lr=tag(log,interval(1e-3,1))", "conv=same,full"]


def typed(folder, *overrides):
    """Runs the command line in a folder."""
    return warm.typed(folder, "equivariance.run", "-m", *overrides)


def trials(folder, name="mine"):
    import optuna

    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/optuna.db").trials


def results(folder):
    return [json.loads(path.read_text()) for path in folder.glob("runs/*/*/result.json")]


def test_a_search_computes_each_trial_with_each_seed_once(folder):
    command = [*STUDY, *RUNS, *SPACE, "hydra.sweeper.seeds=2", "hydra.sweeper.n_trials=2"]
    done = typed(folder, *command)
    assert done.returncode == 0, done.stderr
    assert "study mine: 2 of 2 trials: 2 complete" in done.stdout
    assert "best: trial " in done.stdout
    found = results(folder)
    assert sorted(result["config"]["seed"] for result in found) == [0, 0, 1, 1]
    assert {result["sweep"] for result in found} == {"mine"}
    lrs = {trial.params["optim.lr"] for trial in trials(folder)}
    assert {result["config"]["optim"]["lr"] for result in found} == lrs

    again = typed(folder, *command)
    assert "computed" not in again.stdout
    assert "study mine: 2 of 2 trials: 2 complete" in again.stdout
    assert len(results(folder)) == 4


@pytest.fixture
def command(monkeypatch, workdir, capsys):
    """Types a command in this process, where nothing is computed: (exit code, error output, the study it would run)."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    launched = []
    monkeypatch.setattr("sweeps.launcher.launch.launch", lambda source, *rest: launched.append(source))

    def enter(*arguments):
        monkeypatch.setattr(sys, "argv", ["run", "-m", *arguments])
        code = 0
        try:
            run.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, capsys.readouterr().err, launched[-1] if launched else None

    return enter


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["conv=same"], ["nothing to search"]),
        (["conv=same,fulll"], ["conv=fulll", "full"]),
        (["conv=interval(0,1)"], ["conv", "a list"]),
        (["zzz=interval(0,1)"], ["zzz", "no such key"]),
        (["+optim.rate=tag(log,interval(0.1,1))"], ["optim.rate", "no such key"]),
        (["optim.lr=interval(0,1)"], ["optim.lr=0.0", "above 0"]),
        (["optim.lr=interval(1e-3,1000)"], ["optim.lr=1000", "to 100"]),
        (["border=0,wide"], ["border=wide", "an integer"]),
        (
            ["init=scratch,frozen-random", "optim=sgd,probe"],
            ["optim=probe", "init=scratch"],
        ),  # both first ones are fine
        (["seed=0,1", "hydra.sweeper.seeds=2"], ["hydra.sweeper.seeds=2", "seed"]),
        (["experiment=impulse", "conv=same,full", "hydra.sweeper.seeds=2"], ["seed=1", "experiment=impulse"]),
        (["data=folder", "data.root=nowhere", "conv=same,full"], ["data.root=nowhere", "no such folder"]),
        (["conv=same,full", "hydra.sweeper.n_trails=3"], ["n_trails"]),
        (["conv=same,full", "hydra.sweeper.sampler=TPE"], ["sampler.name=TPE", "TPESampler"]),
        (["conv=same,full", "hydra.sweeper.sampler.sed=1"], ["sampler.sed", "seed"]),
        (["conv=same,full", "hydra.sweeper.sampler._target_=os.system"], ["sampler._target_"]),
        (["conv=same,full", "hydra.sweeper.objectives=loss"], ["objectives=loss"]),
        (["conv=same,full", "hydra.launcher.workers=0"], ["workers=0"]),
        (["conv=same,full", "hydra/launcher=basic"], ["hydra/launcher=basic", "local, submitit_slurm"]),
    ],
    ids=" ".join,
)
def test_a_wrong_search_gets_one_line_and_exit_code_2(command, workdir, arguments, said):
    code, error, study = command("hydra/sweeper=optuna", *arguments)
    assert code == 2, error
    assert study is None
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    for words in said:
        assert words in error
    assert not list(workdir.rglob("*.db"))


def test_another_search_under_a_name_is_refused_and_a_search_without_a_name_gets_its_own(command):
    assert command(*STUDY, "conv=same,full")[0] == 0
    code, error, _ = command(*STUDY, "conv=same,full", "border=16")
    assert (code, error.count("\n")) == (2, 1)
    assert "border 0 (now 16)" in error
    assert command(*STUDY, "conv=same,full", "device=cpu", "engine=dense")[0] == 0  # decides no number
    names = {command("hydra/sweeper=optuna", "conv=same,full", o)[2].settings.study for o in ("border=0", "border=16")}
    assert len(names) == 2
    assert command("hydra/sweeper=optuna", "conv=same,full")[2].settings.study in names


def test_a_trial_is_the_run_that_its_overrides_spell(command, monkeypatch):
    _, error, study = command(*STUDY, "conv=same,full", "border=range(16,65,16)", "seed=3", "hydra.sweeper.seeds=2")
    assert error == ""
    job = study.next()
    (drawn,) = [t.params for t in study._trials.lasts()]
    alone = []
    monkeypatch.setattr(run, "run_here", lambda job, mirror: alone.append(job))
    monkeypatch.setattr(sys, "argv", ["run", *(f"{key}={value}" for key, value in drawn.items()), "seed=3"])
    run.main()
    assert job.record.path == alone[0].record.path
    assert drawn["border"] in (16, 32, 48, 64)


def test_a_storage_that_is_lost_on_the_way_is_told_in_one_line(command, monkeypatch):
    def lost(*arguments):
        from optuna.exceptions import StorageInternalError

        raise StorageInternalError("disk I/O error\nsecond line")

    monkeypatch.setattr("sweeps.launcher.launch.launch", lost)
    code, error, _ = command(*STUDY, "conv=same,full")
    assert code == 1
    assert error == "error: the study's storage is lost (disk I/O error); the same command goes on from here\n"


@pytest.mark.parametrize(
    ("sweep", "runs", "objectives"),
    [
        ("strongest_probe", 120, {"accuracy_validation": "maximize"}),
        ("accuracy_cost", 80, {"accuracy_validation": "maximize", "gmacs": "minimize"}),
    ],
)
def test_the_ready_studies_are_understood(command, sweep, runs, objectives):
    code, error, study = command(f"+sweep={sweep}", "arch=resnet18", "border=128")
    assert (code, error) == (0, "")
    assert study.total == runs
    assert study.settings.objectives == objectives
    assert study.settings.study.startswith(f"{sweep}-")
    assert "resnet18" in study.next().label


@pytest.mark.slow
@pytest.mark.parametrize("sweep", ["strongest_probe", "accuracy_cost"])
def test_the_ready_studies_run(tmp_path, sweep):
    done = typed(tmp_path, f"+sweep={sweep}", "hydra.sweeper.n_trials=2", "data.pictures=4", "device=cpu")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 trials: 2 complete" in done.stdout


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_a_search_killed_twenty_times_has_exactly_its_trials_and_runs_and_finds_the_same(tmp_path):
    from tests.crash.harness import Sweep, starts, until

    command = [*STUDY, *RUNS, *SPACE, "hydra.sweeper.n_trials=40", "hydra.sweeper.seeds=3"]
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert Sweep(whole, *command).ended(900).code == 0
    chance, kills = random.Random(20), 0
    while True:
        sweep, had = Sweep(torn, *command), len(results(torn))
        if kills == 20:
            break
        more = chance.randint(1, 6)
        assert until(lambda: len(results(torn)) >= had + more or sweep.process.poll() is not None)  # noqa: B023
        if sweep.ended(chance.uniform(0, 0.3)):
            break
        sweep.kill()
        kills += 1
    ended = sweep.ended(900)
    assert ended.code == 0, ended.err
    assert kills == 20
    print(f"{kills} kills, {starts(torn).total() - 120} runs begun anew")
    assert len(results(torn)) == 120
    one, other = ([(t.number, t.params, t.state.name, t.values) for t in trials(f)] for f in (whole, torn))
    assert len(other) == 40
    assert other == one
    assert starts(torn).total() <= 120 + kills
