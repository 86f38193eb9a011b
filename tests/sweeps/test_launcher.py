"""The launcher: reuse, failure, retries, timeouts, claims, exit codes; workers are real processes."""

import multiprocessing
import threading
import time

import pytest

from sweeps.claim import claim
from sweeps.launcher.launch import launch
from sweeps.launcher.pool import Limits, Machine, _slots
from sweeps.launcher.single import run_here
from sweeps.launcher.source import Grid
from sweeps.records import CLAIM
from tests.sweeps.jobs import calls, job, shut_down

PRELOAD = Machine(preload=["tests.sweeps.jobs"])


class Seen:
    """A mirror that notes what it is told."""

    def __init__(self):
        self.told = []

    def begin(self, record, label):
        self.told.append(("begin", label))

    def ended(self, record, outcome):
        self.told.append((outcome.status, record.identity))

    def interrupted(self, record):
        self.told.append(("interrupted", record.identity))

    def close(self, patience=30.0):
        self.told.append(("close", patience))


def sweep(jobs, mirror=None, machine=PRELOAD, source=Grid, **limits):
    """Runs jobs with two workers and returns the exit code."""
    try:
        launch(source(jobs), machine, Limits(**{"workers": 2, "retries": 0} | limits), mirror or Seen())
    except SystemExit as ended:
        return ended.code
    finally:
        assert [p for p in multiprocessing.active_children() if p.is_alive()] == []
    return 0


def test_jobs_are_computed_once_and_then_reused(tmp_path, capsys):
    assert sweep([job(tmp_path, 0), job(tmp_path, 16)]) == 0
    assert sorted(calls(tmp_path)) == [0, 16]
    assert sweep([job(tmp_path, 0), job(tmp_path, 16), job(tmp_path, 32)]) == 0
    assert sorted(calls(tmp_path)) == [0, 16, 32]
    said = capsys.readouterr().out
    assert "3 runs: 1 computed, 0 certified, 2 reused, 0 failed" in said
    assert "[1/3] run 0: accuracy 75.0 %, loss 0.500 (reused, " in said


def test_force_computes_anew(tmp_path):
    sweep([job(tmp_path, 0)])
    sweep([job(tmp_path, 0, force=True)])
    assert calls(tmp_path) == [0, 0]


def test_the_same_run_twice_in_one_sweep_is_computed_once(tmp_path):
    assert sweep([job(tmp_path, 0, "takes a while"), job(tmp_path, 0, "takes a while")]) == 0
    assert calls(tmp_path) == [0]


def test_a_failure_does_not_stop_the_others_and_is_told_at_the_end(tmp_path, capsys):
    assert sweep([job(tmp_path, 0), job(tmp_path, 1, "raises"), job(tmp_path, 2)]) == 1
    assert sorted(calls(tmp_path)) == [0, 1, 2]
    said = capsys.readouterr()
    assert "3 runs: 2 computed, 0 certified, 0 reused, 1 failed" in said.out
    assert "failed: run 1: RuntimeError: out of memory (see " in said.out
    assert "Traceback" not in said.err


def test_output_and_traceback_of_a_run_are_in_its_log(tmp_path, capfd):
    failing = job(tmp_path, 1, "raises")
    sweep([failing])
    log = (failing.record.path / "run.log").read_text()
    assert "some output" in log
    assert "Traceback" in log
    assert "some output" not in capfd.readouterr().out
    assert failing.record.result() is None


def test_a_failed_run_is_tried_again_as_often_as_allowed(tmp_path, capsys):
    assert sweep([job(tmp_path, 1, "raises")], retries=2) == 1
    assert calls(tmp_path) == [1, 1, 1]
    assert "(3 tries)" in capsys.readouterr().err
    assert sweep([job(tmp_path, 2, "raises once")], retries=1) == 0


def test_a_killed_worker_costs_its_run_alone(tmp_path, capsys):
    jobs = [job(tmp_path, 0), job(tmp_path, 1, "is killed"), *(job(tmp_path, b) for b in range(2, 8))]
    assert sweep(jobs) == 1
    said = capsys.readouterr()
    assert "8 runs: 7 computed, 0 certified, 0 reused, 1 failed" in said.out
    assert "failed: run 1: killed by SIGKILL (see " in said.out
    assert "killed by SIGKILL" in (jobs[1].record.path / "run.log").read_text()


def test_a_run_whose_worker_was_killed_once_is_finished_by_another(tmp_path):
    assert sweep([job(tmp_path, 1, "is killed once"), job(tmp_path, 2)], retries=1) == 0
    assert sorted(calls(tmp_path)) == [1, 1, 2]


def test_a_run_that_hangs_is_ended_and_the_others_go_on(tmp_path, capsys):
    assert sweep([job(tmp_path, 1, "hangs"), job(tmp_path, 2), job(tmp_path, 3)], timeout=1.0) == 1
    said = capsys.readouterr().out
    assert "2 computed" in said
    assert "failed: run 1: not finished after timeout=1 s" in said


def test_the_users_mistake_has_exit_code_2_one_line_and_one_try(tmp_path, capsys):
    assert sweep([job(tmp_path, 0), job(tmp_path, 1, "mistakes")], retries=3) == 2
    assert calls(tmp_path).count(1) == 1
    assert capsys.readouterr().err.strip() == "error: data.root=x: no such folder"


def test_a_run_that_shows_nothing_has_exit_code_1_one_try_and_says_why(tmp_path, capsys):
    assert sweep([job(tmp_path, 0), job(tmp_path, 1, "diverges")], retries=3) == 1
    assert calls(tmp_path).count(1) == 1
    assert "2 runs: 1 computed, 0 certified, 0 reused, 1 failed\n  failed: run 1: not finite: loss nan" in (
        capsys.readouterr().out
    )


def test_workers_that_cannot_start_fail_their_runs_and_nothing_hangs(tmp_path, capsys):
    assert sweep([job(tmp_path, 0), job(tmp_path, 1)], machine=Machine(threads=shut_down)) == 1
    assert "its process ended with code 3" in capsys.readouterr().out


def test_a_run_of_another_sweep_is_awaited_and_not_computed_twice(tmp_path):
    mine = job(tmp_path, 0)
    held = threading.Event()

    def other_sweep():
        with claim(mine.record.path / CLAIM) as ours:
            assert ours
            held.set()
            time.sleep(1.0)
            job(tmp_path, 0).work(lambda row: None)

    other = threading.Thread(target=other_sweep)
    other.start()
    held.wait()
    assert sweep([mine, job(tmp_path, 1)]) == 0
    other.join()
    assert calls(tmp_path).count(0) == 1


def test_a_run_whose_other_sweep_gave_up_is_computed_here(tmp_path):
    mine = job(tmp_path, 0)
    held = threading.Event()

    def other_sweep():
        with claim(mine.record.path / CLAIM):
            held.set()
            time.sleep(1.0)

    other = threading.Thread(target=other_sweep)
    other.start()
    held.wait()
    assert sweep([mine]) == 0
    other.join()
    assert calls(tmp_path) == [0]


def test_rows_reach_the_source_which_may_end_the_run(tmp_path, capsys):
    rows = []

    class Impatient(Grid):
        def report(self, job, row):
            rows.append(row["epoch"])
            return row["epoch"] < 2

    assert sweep([job(tmp_path, 0, "reports")], source=Impatient) == 0
    assert rows == [0, 1, 2]
    assert "run 0: pruned" in capsys.readouterr().out


def test_the_mirror_is_told_of_every_outcome(tmp_path):
    mirror = Seen()
    jobs = [job(tmp_path, 0), job(tmp_path, 1, "raises")]
    sweep(jobs, mirror)
    assert sorted(what for what, _ in mirror.told) == ["begin", "begin", "close", "done", "failed"]
    again = Seen()
    sweep(jobs[:1], again)
    assert [what for what, _ in again.told] == ["reused", "close"]


def test_one_run_alone_is_computed_in_this_process(tmp_path, capsys):
    mirror = Seen()
    run_here(job(tmp_path, 0), mirror)
    run_here(job(tmp_path, 0), mirror)
    assert calls(tmp_path) == [0]
    assert [what for what, _ in mirror.told] == ["begin", "done", "close", "begin", "reused", "close"]
    with pytest.raises(SystemExit) as ended:
        run_here(job(tmp_path, 1, "raises"), mirror)
    assert ended.value.code == 1
    assert "run.log" in capsys.readouterr().err


def test_gpus_are_leased_in_turn_and_cores_divided(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert _slots(2, Limits(), 100) == [("0", 8), ("1", 8)]
    assert _slots(2, Limits(slots_per_gpu=2), 100) == [("0", 4), ("1", 4), ("0", 4), ("1", 4)]
    assert _slots(4, Limits(workers=3), 100) == [("0", 5), ("1", 5), ("2", 5)]
    assert _slots(4, Limits(), 1) == [("0", 16)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert _slots(2, Limits(), 100) == [("3", 8), ("5", 8)]


def test_without_a_gpu_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)))
    monkeypatch.setattr("os.sysconf", lambda name: 2**20)  # memory without end
    assert _slots(0, Limits(), 100) == [(None, 1)] * 6
    assert _slots(0, Limits(workers=2), 100) == [(None, 3)] * 2
    assert _slots(0, Limits(), 2) == [(None, 3)] * 2
