"""Processes that log to one database are killed, meet each other and find it locked: each run is shown once."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from sweeps.tracking.mirror import Mirror
from sweeps.tracking.sync import sync
from tests.sweeps.images import expected, ids, shown
from tests.sweeps.runs import finished_run

pytestmark = pytest.mark.crash

# A sweep that finds all its runs finished, except that each is begun first.
LOGGER = """
from pathlib import Path
from sweeps.launcher.mirroring import Mirroring
from sweeps.records import finished
from sweeps.launcher.source import Outcome
from sweeps.tracking.mirror import Mirror
mirroring = Mirroring(Mirror(None), "grid")
for number, (record, result) in enumerate(finished(Path("runs"))):
    if number % 2:
        mirroring._tasks.put(lambda record=record: mirroring._mirror.begin(record, "run", "grid", 1.0))
    mirroring.ended(record, Outcome("reused", result))
print("told", flush=True)
mirroring.close(60)
"""


def logger():
    return subprocess.Popen(
        [sys.executable, "-c", LOGGER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


def test_a_logger_killed_at_random_moments_loses_and_doubles_nothing(workdir, store):
    chance = random.Random(0)
    for seed in range(100):
        finished_run(workdir / "runs", sweep="grid", seed=seed)
    began = time.monotonic()
    process = logger()
    while not shown(store):  # until it has connected
        time.sleep(0.05)
    start = time.monotonic() - began
    process.kill()
    process.communicate()
    for _ in range(8):
        process = logger()
        time.sleep(start + chance.uniform(0, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = logger()
    assert process.communicate(timeout=120)[1] == ""
    assert shown(store) == expected(workdir / "runs")
    assert sync(workdir / "runs", Mirror(None)) == (0, 100)
    assert ids(store, "RUNNING") == []


@pytest.mark.parametrize("fresh", [False, True])
def test_four_sweeps_at_once_log_each_run_once(workdir, empty_store, fresh):
    store = workdir / "mlflow.db"
    if not fresh:
        shutil.copy(empty_store, store)
    for seed in range(30):
        finished_run(workdir / "runs", sweep="grid", seed=seed)
    for process in [logger() for _ in range(4)]:
        assert process.communicate(timeout=240)[1] == ""
    assert shown(store) == expected(workdir / "runs")
    assert ids(store, "RUNNING") == []


def test_a_database_locked_for_half_a_minute_costs_a_warning(workdir, store):
    finished_run(workdir / "runs", sweep="grid")
    other = sqlite3.connect(store)
    other.execute("begin exclusive")
    process = logger()
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0
    first, second = said.splitlines()
    assert first.startswith(f"warning: MLflow at sqlite:///{store} cannot be reached (")
    assert second.startswith("warning: 1 of 1 finished runs are not in MLflow")
    other.rollback()
    other.close()
    assert sync(workdir / "runs", Mirror(None)) == (1, 1)
    assert shown(store) == expected(workdir / "runs")
