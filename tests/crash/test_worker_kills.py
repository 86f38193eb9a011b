"""Workers that are killed, as the kernel does it when memory runs out, or that stand still: the others go on."""

import os
import random
import shutil
import signal
import time
from functools import partial
from itertools import count
from unittest.mock import MagicMock

import pytest

from sweeps.launcher.launch import launch
from sweeps.launcher.pool import Limits, Machine
from sweeps.launcher.source import Grid, Job
from sweeps.records import Record
from tests.crash.harness import EIGHT, ROOK, computing, results, starts, table, until
from tests.sweeps.runs import BLANK

TWELVE = ("experiment=rook", "device=cpu", "optim.epochs=60", "conv=same,full", "seed=0,1,2,3,4,5")


@pytest.mark.parametrize("total", [2, pytest.param(50, marks=[pytest.mark.crash, pytest.mark.timeout(3000)])])
def test_a_sweep_outlives_workers_killed_at_random_moments(total, tmp_path, start, request, empty_store):
    command, runs = (EIGHT, 8) if total == 2 else (ROOK, 24)
    undisturbed = request.getfixturevalue("undisturbed_eight" if total == 2 else "undisturbed")
    moments, killed = random.Random(total), 0
    for number in count():
        folder, before = tmp_path / str(number), killed
        folder.mkdir()
        shutil.copy(empty_store, folder / "mlflow.db")
        sweep = start(folder, *command, "hydra.launcher.retries=50")
        assert until(lambda: computing(folder) or sweep.ended(0))  # noqa: B023
        while killed < total and sweep.ended(moments.uniform(0.1, 0.6)) is None:
            killed += kill_one(sweep, moments)
        ended = sweep.ended()
        assert ended.code == 0, ended.err
        assert "0 failed" in ended.out
        assert len(results(folder)) == runs
        assert starts(folder).total() - runs <= killed - before
        assert ended.err.count("killed by SIGKILL; try ") <= killed - before
        assert table(folder) == undisturbed.table
        if killed == total:
            break
    print(f"{killed} workers killed in {number + 1} sweeps")


def kill_one(sweep, moments):
    """Kills a worker, or once in ten times whatever else there is but the parent; gives how many were killed."""
    others = sorted(sweep.processes() - {sweep.process.pid})
    victims = sweep.workers() if moments.random() < 0.9 else others
    if not victims:
        return 0
    try:
        os.kill(moments.choice(victims), signal.SIGKILL)
    except ProcessLookupError:  # its run failed for the last kill, so that it is being replaced
        return 0
    return 1


def test_a_run_whose_worker_dies_after_the_last_file_is_done(tmp_path, capsys):
    record = Record(tmp_path / "quadrant" / "0123456789abcdef")
    job = Job(record, "a run", partial(finished_and_killed, record))
    launch(Grid([job]), Machine(), Limits(workers=1, retries=0), MagicMock())
    assert "a run: accuracy 50.0 %" in capsys.readouterr().out


def finished_and_killed(record, report):
    """The work of a job."""
    record.start("")
    record.finish([], BLANK | {"metrics": {"accuracy": 0.5}})
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.crash
def test_a_killed_run_is_told_and_the_same_command_finishes_it(tmp_path, start):
    sweep = start(tmp_path, *TWELVE, "hydra.launcher.retries=0")
    worker, run = stopped_in_a_run(sweep, tmp_path)
    os.kill(worker, signal.SIGKILL)
    told_and_finished(sweep, run, "killed by SIGKILL", start)


@pytest.mark.crash
def test_a_hanging_run_is_told_and_the_same_command_finishes_it(tmp_path, start):
    sweep = start(tmp_path, *TWELVE, "hydra.launcher.retries=0", "hydra.launcher.timeout=20")
    worker, run = stopped_in_a_run(sweep, tmp_path)
    told_and_finished(sweep, run, "not finished after timeout=20 s", start)
    assert worker not in sweep.processes()


def told_and_finished(sweep, run, reason, start):
    """The sweep names the run, why it failed and where its log is; only that run is left for the next time."""
    ended = sweep.ended()
    assert ended.code == 1
    assert "12 runs: 11 computed, 0 certified, 0 reused, 1 failed" in ended.out
    assert ended.out.splitlines()[-1].startswith("  failed: rook paper ")
    assert ended.out.endswith(f": {reason} (see {run}/run.log)\n")
    assert reason in (sweep.folder / run / "run.log").read_text()
    again = start(sweep.folder, *TWELVE).ended()
    assert again.code == 0, again.err
    assert "12 runs: 1 computed, 0 certified, 11 reused, 0 failed" in again.out
    assert starts(sweep.folder).total() == 13


def stopped_in_a_run(sweep, folder):
    """Stops a worker in the middle of a run; gives its process and the run's folder, relative."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for worker, run in computing(folder).items():
            if worker not in sweep.workers() or asleep(worker):
                continue
            os.kill(worker, signal.SIGSTOP)
            assert until(lambda: asleep(worker))  # noqa: B023
            if computing(folder).get(worker) == run:
                return worker, run.relative_to(folder)
            os.kill(worker, signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError("no run was met in the middle")


def asleep(process):
    """Whether SIGSTOP has taken effect."""
    with open(f"/proc/{process}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"
