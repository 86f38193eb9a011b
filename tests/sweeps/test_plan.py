"""The line before the first run: however its measurement fails, the sweep goes on."""

import time

import pytest

from equivariance import run
from sweeps.launcher.launch import launch
from sweeps.launcher.pool import Limits, Machine
from sweeps.launcher.source import Grid
from tests.sweeps.jobs import calls, hang, job, shut_down
from tests.sweeps.test_launcher import Seen


@pytest.mark.parametrize(
    ("outlook", "said"),
    [(hang, "gave no answer in 5 s"), (shut_down, "its process ended with code 3"), (divmod, "TypeError")],
)
def test_an_estimate_that_fails_costs_its_time_alone(config, tmp_path, monkeypatch, capsys, outlook, said):
    monkeypatch.setattr(run, "ESTIMATE", 5.0)
    monkeypatch.setattr(run, "costs", outlook)
    jobs = [job(tmp_path, border) for border in (0, 1)]
    configs, began = [config(f"border={n}") for n in (0, 1)], time.monotonic()
    machine, limits = Machine(preload=["tests.sweeps.jobs"]), Limits(workers=1, retries=0)
    launch(Grid(jobs), machine, limits, Seen(), lambda pool: run._plan(configs, jobs, pool))
    assert time.monotonic() - began < 30
    assert calls(tmp_path) == [0, 1]
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("2 runs: 0 done, 2 to do on 1 worker with ")
    assert f"; their time is not known ({said}" in line
