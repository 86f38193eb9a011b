"""Sweeps on clusters, by the command line: submitit with jobs on this machine, and a Ray of the sweep's own."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests import warm

# Says at the end of a command whether the process that submits has paid for torch.
PROGRAM = """
import sys
from equivariance.run import main
try:
    main()
finally:
    print("torch imported:", "torch" in sys.modules)
"""
SUBMITIT, RAY = "hydra/launcher=submitit_local", "hydra/launcher=ray"
GRID = ["-m", "experiment=impulse", "conv=same,full", "device=cpu"]
# What may differ between two computations of a run.
TIMES = {"began", "ended", "commit", "sweep"}


def started(folder, *arguments):
    """A command that runs in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )


def typed(folder, *arguments):
    """Exit code, output and errors of a command."""
    done = warm.typed(folder, "equivariance.run", *arguments, TQDM_DISABLE="1")
    return done.returncode, done.stdout, done.stderr


def computing(folder, seconds=120):
    """Waits until a run is being computed and gives the number of the process that does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for log in folder.glob("runs/impulse/*/run.log"):
            found = re.findall(r"started by process (\d+)", log.read_text())
            if found:
                return int(found[-1])
        time.sleep(0.005)
    raise AssertionError("no run has begun")


def results(folder):
    """Everything that the finished runs of a folder hold but times, by identity."""
    found = {}
    for path in folder.glob("runs/impulse/*/result.json"):
        result = json.loads(path.read_text())
        files = {f.name: f.read_bytes() for f in path.parent.glob("*") if f.suffix in (".csv", ".safetensors")}
        result["config"].pop("runs", None)
        found[path.parent.name] = {k: v for k, v in result.items() if k not in TIMES}, files
    return found


def computed_here(folder, monkeypatch, config):
    """The same runs, in this process."""
    from equivariance.job import prepare

    monkeypatch.chdir(folder)
    for conv in ("same", "full"):
        prepare(config("experiment=impulse", f"conv={conv}", "device=cpu")).work(lambda row: None)
    return results(folder)


def test_the_same_command_finishes_what_a_killed_job_left_and_submits_no_more(folder, tmp_path, monkeypatch, config):
    pytest.importorskip("submitit", reason="the extra 'cluster' is not installed")
    first = started(folder, *GRID, SUBMITIT, "hydra.launcher.retries=0")
    os.kill(computing(folder), signal.SIGKILL)
    out, errors = first.communicate(timeout=240)
    assert first.returncode == 1, errors
    assert "2 runs: 0 done, 2 to do on this machine through submitit" in out
    assert "2 runs: 1 computed, 0 certified, 0 reused, 1 failed" in out
    assert re.search(r"failed: impulse paper .*: job \d+ ended without a result, .*run\.log\)", out)
    assert "torch imported: False" in out
    assert "Traceback" not in errors

    code, out, errors = typed(folder, *GRID, SUBMITIT)
    assert code == 0, errors
    assert "2 runs: 1 computed, 0 certified, 1 reused, 0 failed" in out
    left = sorted((folder / "runs" / ".submitit").iterdir())

    code, out, errors = typed(folder, *GRID, SUBMITIT)
    assert code == 0, errors
    assert "2 runs: 0 computed, 0 certified, 2 reused, 0 failed" in out
    assert sorted((folder / "runs" / ".submitit").iterdir()) == left

    (tmp_path / "here").mkdir()
    assert results(folder) == computed_here(tmp_path / "here", monkeypatch, config)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_an_interrupted_sweep_leaves_no_job_behind(tmp_path, number):
    pytest.importorskip("submitit", reason="the extra 'cluster' is not installed")
    process = started(tmp_path, *GRID, SUBMITIT)
    job = computing(tmp_path)
    began = time.monotonic()
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 128 + number
    assert errors.strip().splitlines()[-1] == "interrupted; the same command goes on from here"
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(job, 0)


@pytest.mark.slow
def test_a_killed_worker_of_ray_costs_an_attempt_and_ray_is_gone_afterwards(tmp_path, monkeypatch, config):
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    first = started(tmp_path / "there", *GRID, RAY, "+hydra.launcher.ray.init.num_cpus=2", "hydra.launcher.retries=0")
    os.kill(computing(tmp_path / "there"), signal.SIGKILL)
    out, errors = first.communicate(timeout=240)
    assert first.returncode == 1, errors
    assert "2 to do on Ray (2 CPUs)" in out
    assert "2 runs: 1 computed, 0 certified, 0 reused, 1 failed" in out
    assert re.search(r"failed: impulse paper .*: WorkerCrashedError: ", out)
    assert "torch imported: False" in out
    assert_no_ray(first.pid)

    again = started(tmp_path / "there", *GRID, RAY, "+hydra.launcher.ray.init.num_cpus=2")
    out, errors = again.communicate(timeout=240)
    assert again.returncode == 0, errors
    assert "2 runs: 1 computed, 0 certified, 1 reused, 0 failed" in out
    assert results(tmp_path / "there") == computed_here(tmp_path / "here", monkeypatch, config)
    assert_no_ray(again.pid)


def assert_no_ray(session):
    """No process is left of those that a command has started, whose session is its own."""
    for _ in range(50):
        found = subprocess.run(["ps", "-s", str(session), "-o", "args="], capture_output=True, text=True).stdout
        if not found.strip():
            return
        time.sleep(0.1)
    raise AssertionError(found)


@pytest.mark.slow
def test_a_study_has_its_trials_computed_by_a_cluster(tmp_path):
    pytest.importorskip("submitit", reason="the extra 'cluster' is not installed")
    search = [*GRID, SUBMITIT, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.launcher.workers=1"]
    code, out, errors = typed(tmp_path, *search)
    assert code == 0, errors
    assert "3 runs to do on this machine through submitit" in out
    assert "3 of 3 trials: 3 complete" in out
    code, _, errors = typed(tmp_path, *search, "hydra.sweeper.pruner=MedianPruner")
    assert code == 2
    assert "only hydra/launcher=local hears of a run before its end" in errors


def refused(folder, *arguments):
    code, _, errors = typed(folder, *GRID, *arguments)
    assert code == 2, errors
    assert "Traceback" not in errors
    assert not list(folder.rglob("result.json"))
    return errors.strip().splitlines()[-1]


def test_settings_out_of_range_and_a_cluster_that_is_not_there_are_refused_in_one_line(tmp_path):
    assert refused(tmp_path, SUBMITIT, "hydra.launcher.retries=-1") == (
        "error: hydra.launcher.retries=-1: allowed: 0 or more"
    )
    assert refused(tmp_path, SUBMITIT, "hydra.launcher.workers=many") == (
        "error: hydra.launcher.workers=many: allowed: 1 or more"
    )
    assert "partitoin" in refused(tmp_path, "hydra/launcher=submitit_slurm", "hydra.launcher.partitoin=gpu")
    assert "submitit_slrum" in refused(tmp_path, "hydra/launcher=submitit_slrum")
