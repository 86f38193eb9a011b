"""No space left: a run that cannot be written fails with one plain line, and once there is space it is computed."""

import resource
import shutil
import subprocess

import numpy
import pytest
import yaml
from safetensors.numpy import load_file

from equivariance.job import prepare
from sweeps.launcher.attempt import attempt
from sweeps.partial import PARTIAL
from sweeps.records import Record
from tests.crash.harness import computing, results

FOUR = ("experiment=rook", "device=cpu", "optim.epochs=60", "conv=same,full", "seed=0,1", "hydra.launcher.workers=2")
crash = pytest.mark.crash


@pytest.fixture
def disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "equivariance-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, timeout=30)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here, which takes root: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


def fill(disk, left):
    """Leaves so many kilobytes free; gives the file to remove."""
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(bytes(max(0, free - 1024 * left)))
    return ballast


def whole_files(runs):
    """Reads every file of every run; gives how many there are. One that is half-written does not open."""
    read = {
        "config.yaml": lambda path: yaml.safe_load(path.read_text())["experiment"],
        "checkpoint.safetensors": load_file,
        "training.npz": lambda path: numpy.load(path)["epoch"],
        "history.csv": lambda path: Record(path.parent).history()[59],
        "result.json": lambda path: Record(path.parent).result()["metrics"],
    }
    found = [path for path in runs.glob("rook/*/*") if path.name in read]
    for path in found:
        assert len(read[path.name](path)) > 0
    assert not list(runs.glob(f"**/{PARTIAL}*"))
    return len(found)


def failed_plainly(ended, reason):
    """Every line of what was said on standard error is one of ours and one names the reason."""
    assert ended.code == 1, ended
    lines = ended.err.splitlines()
    assert [line for line in lines if line.startswith("error: ") and reason in line], ended.err
    assert [line for line in lines if not line.startswith(("error: ", "warning: ", "rook paper "))] == []


PAGES = range(0, 84, 4)  # kilobytes: a page more each time, so that each file of a run once finds no space


def test_a_run_that_finds_no_space_leaves_nothing_half_written(disk, config):
    runs = disk / "runs"
    job = prepare(config("experiment=rook", "device=cpu", "optim.epochs=60", f"runs={runs}"))
    statuses = []
    for left in PAGES:
        ballast = fill(disk, left)
        outcome = attempt(job, lambda row: None)
        statuses.append(outcome.status)
        if outcome.status == "failed":
            assert outcome.reason.startswith("OSError: [Errno 28] No space left on device")
            assert whole_files(runs) < 5
            assert job.record.result() is None
        ballast.unlink()
        shutil.rmtree(runs, ignore_errors=True)
    assert statuses == sorted(statuses, reverse=True)  # first they fail, and once there is enough, they are done
    assert set(statuses) == {"failed", "done"}


@crash
@pytest.mark.timeout(3000)
def test_a_sweep_that_finds_no_space_fails_plainly_and_goes_on_once_there_is_some(folder, disk, start):
    command, runs = [*FOUR, f"runs={disk / 'runs'}"], disk / "runs"
    for left in PAGES[::2]:
        ballast = fill(disk, left)
        failed_plainly(start(folder, *command).ended(), "No space left on device")
        whole_files(runs)
        kept = results(disk)
        ballast.unlink()
        again = start(folder, *command).ended()
        assert again.code == 0, again.err
        assert f"4 runs: {4 - len(kept)} computed, 0 certified, {len(kept)} reused, 0 failed" in again.out
        assert {run: results(disk)[run] for run in kept} == kept
        assert whole_files(runs) == 4 * 5
        shutil.rmtree(runs)


@crash
def test_mlflow_without_space_costs_a_warning_and_no_run(tmp_path, disk, start):
    ballast = fill(disk, 100)
    command = [*FOUR, f"runs={tmp_path / 'runs'}"]
    ended = start(disk, *command).ended()
    assert ended.code == 0, ended.err
    assert "finished runs are not in MLflow; log them with: python -m sweeps sync" in ended.err
    assert "Traceback" not in ended.err
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True, timeout=30)
    again = start(disk, *command).ended()
    assert again.code == 0, again.err
    assert "warning" not in again.err


@crash
def test_files_over_a_limit_fail_plainly_and_are_written_once_it_is_lifted(tmp_path, start):
    limit = 6000  # bytes: a result fits, a film of the training does not
    ended = start(tmp_path, *FOUR, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))).ended()
    failed_plainly(ended, "File too large")
    assert not results(tmp_path)
    assert not computing(tmp_path)
    whole_files(tmp_path / "runs")
    again = start(tmp_path, *FOUR).ended()
    assert again.code == 0, again.err
    assert whole_files(tmp_path / "runs") == 4 * 5
