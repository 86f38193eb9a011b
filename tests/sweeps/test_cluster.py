"""Runs as tasks of a cluster, with a cluster of plain processes: handed over, killed, refused, timed out, cancelled."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

from sweeps.claim import claim
from sweeps.cluster import cluster, task
from sweeps.cluster.cluster import Cluster, Refused
from sweeps.launcher.launch import launch
from sweeps.launcher.pool import Limits, Machine
from sweeps.launcher.source import Grid
from sweeps.launcher.worker import Died
from sweeps.records import CLAIM
from tests.sweeps.jobs import calls, job
from tests.sweeps.test_launcher import Seen

CONTEXT = multiprocessing.get_context("forkserver")


def answer(task, connection):
    """What a process of the cluster does."""
    connection.send(task())


class Handle:
    def __init__(self, task):
        self.connection, theirs = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(target=answer, args=(task, theirs))
        self.process.start()
        theirs.close()


class Processes(Cluster):
    """A process a task, all at once."""

    def __init__(self, refuses=(), threads=None):
        super().__init__(Machine(threads=threads), 3)
        self.batches, self.handles, self.refuses, self.closed = [], [], list(refuses), False

    def __str__(self):
        return "processes"

    def open(self):
        CONTEXT.set_forkserver_preload(["tests.sweeps.jobs"])

    def submit(self, tasks):
        if self.refuses and self.refuses.pop(0):
            raise Refused("the queue is full")
        self.batches.append(len(tasks))
        self.handles += (found := [Handle(task) for task in tasks])
        return found

    def ended(self, handles, seconds):
        found = [h for h in handles if h.connection.poll() or not h.process.is_alive()]
        if not found:
            time.sleep(min(seconds, 0.02))
        return found

    def outcome(self, handle):
        try:
            return handle.connection.recv()
        except EOFError:
            handle.process.join()
            raise Died(f"its process ended with {handle.process.exitcode}") from None

    def cancel(self, handles):
        for handle in handles:
            handle.process.kill()

    def close(self):
        self.closed = True


def sweep(jobs, place=None, mirror=None, **limits):
    """Runs jobs and returns the exit code."""
    place = place or Processes()
    try:
        launch(Grid(jobs), place, Limits(**{"retries": 0} | limits), mirror or Seen(), lambda pool: f"on {pool}")
    except SystemExit as ended:
        return ended.code
    finally:
        assert place.closed or not place.handles
        for handle in place.handles:
            handle.process.join(5)
            assert not handle.process.is_alive()
    return 0


def test_all_runs_are_handed_over_at_once_and_finished_ones_are_not(tmp_path, capsys):
    place, mirror = Processes(), Seen()
    assert sweep([job(tmp_path, n) for n in range(3)], place) == 0
    assert place.batches == [3]
    again = Processes()
    assert sweep([job(tmp_path, n) for n in range(4)], again, mirror) == 0
    assert again.batches == [1]
    assert sorted(calls(tmp_path)) == [0, 1, 2, 3]
    assert "4 runs: 1 computed, 0 certified, 3 reused, 0 failed" in capsys.readouterr().out
    assert sorted(what for what, _ in mirror.told) == ["begin", "close", "done", "reused", "reused", "reused"]


def test_nothing_is_opened_where_nothing_is_to_do(tmp_path):
    sweep([job(tmp_path, 0)])
    place = Processes()
    place.open = lambda: pytest.fail("opened")
    assert sweep([job(tmp_path, 0)], place) == 0


def test_a_cluster_holds_no_more_than_it_may(tmp_path):
    place = Processes()
    assert sweep([job(tmp_path, n, "takes a while") for n in range(5)], place, workers=2) == 0
    assert max(place.batches) <= 2
    assert sum(place.batches) == 5


def test_a_killed_task_costs_its_run_alone_and_its_log_says_so(tmp_path, capsys):
    jobs = [job(tmp_path, 0), job(tmp_path, 1, "is killed"), job(tmp_path, 2)]
    assert sweep(jobs) == 1
    said = capsys.readouterr()
    assert "3 runs: 2 computed, 0 certified, 0 reused, 1 failed" in said.out
    assert f"failed: run 1: its process ended with -9 (see {jobs[1].record.path / 'run.log'})" in said.out
    assert "its process ended with -9" in (jobs[1].record.path / "run.log").read_text()
    assert "Traceback" not in said.err


def test_a_task_that_was_killed_is_handed_over_again(tmp_path):
    place = Processes()
    assert sweep([job(tmp_path, 1, "is killed once"), job(tmp_path, 2)], place, retries=1) == 0
    assert place.batches == [2, 1]


def test_a_run_that_failed_is_tried_again_and_told_with_its_reason(tmp_path, capsys):
    assert sweep([job(tmp_path, 1, "raises"), job(tmp_path, 2)], retries=1) == 1
    assert calls(tmp_path).count(1) == 2
    said = capsys.readouterr()
    assert "failed: run 1: RuntimeError: out of memory (2 tries) (see " in said.out
    assert "some output" not in said.out


def test_the_users_mistake_has_exit_code_2_and_one_try(tmp_path):
    assert sweep([job(tmp_path, 1, "mistakes")], retries=3) == 2
    assert calls(tmp_path) == [1]


class Silent(Processes):
    """Its processes are gone before they can answer."""

    def outcome(self, handle):
        super().outcome(handle)
        raise Died("killed")


def test_a_task_killed_after_its_result_was_written_has_finished(tmp_path, capsys):
    assert sweep([job(tmp_path, 0), job(tmp_path, 1)], Silent()) == 0
    assert "2 runs: 2 computed, 0 certified, 0 reused, 0 failed" in capsys.readouterr().out
    assert sweep([job(tmp_path, 0, force=True)], Silent()) == 1  # the result at hand may be the earlier one


def test_a_run_that_hangs_is_ended_where_it_runs(tmp_path, capsys):
    assert sweep([job(tmp_path, 1, "hangs"), job(tmp_path, 2)], timeout=1.0) == 1
    said = capsys.readouterr().out
    assert "1 computed" in said
    assert "failed: run 1: not finished after timeout=1 s (see " in said


def freeze(count):
    """As `threads` of a machine: from now on signals are not heard, as in a call that never returns to Python."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})


def test_a_run_that_hangs_outside_of_python_is_killed_a_little_later(tmp_path, monkeypatch):
    hanging = job(tmp_path, 1, "hangs")
    monkeypatch.setattr(task, "PATIENCE", 0.2)
    process = multiprocessing.get_context("fork").Process(
        target=task.compute, args=(hanging, Machine(threads=freeze), 1, 0.2, tmp_path)
    )
    process.start()
    process.join(20)
    assert process.exitcode == 1
    assert "Timeout" in (hanging.record.path / "run.log").read_text()
    assert hanging.record.result() is None


def note_threads(count):
    """As `threads` of a machine."""
    print(f"{count} threads in {os.getcwd()}")


def test_a_task_runs_in_the_folder_of_the_sweep_with_its_threads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = job(tmp_path.relative_to(tmp_path), 0)
    assert sweep([relative], Processes(threads=note_threads)) == 0
    assert f"3 threads in {tmp_path}" in (tmp_path / relative.record.path / "run.log").read_text()


def test_a_cluster_that_takes_nothing_ends_the_sweep(tmp_path):
    with pytest.raises(Refused, match="the queue is full"):
        sweep([job(tmp_path, 0)], Processes(refuses=[True]))


def test_a_cluster_that_takes_nothing_for_a_while_is_asked_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PAUSE", 0.1)
    jobs = [job(tmp_path, n) for n in range(3)]
    assert sweep(jobs, Processes(refuses=[False, True, True, False]), workers=1) == 0
    assert capsys.readouterr().err.count("warning: the queue is full; trying again in 0.1 s") == 2
    assert sorted(calls(tmp_path)) == [0, 1, 2]


def test_a_run_of_another_sweep_is_awaited_and_not_failed(tmp_path, capsys):
    mine, held = job(tmp_path, 0), threading.Event()

    def other_sweep():
        with claim(mine.record.path / CLAIM):
            held.set()
            time.sleep(0.7)
            job(tmp_path, 0).work(lambda row: None)

    other = threading.Thread(target=other_sweep)
    other.start()
    held.wait()
    assert sweep([mine, job(tmp_path, 1)], retries=0) == 0
    other.join()
    assert calls(tmp_path).count(0) == 1
    assert "2 runs: 1 computed, 0 certified, 1 reused, 0 failed" in capsys.readouterr().out


def test_an_interrupted_sweep_cancels_its_tasks(tmp_path):
    class Interrupted(Processes):
        def ended(self, handles, seconds):
            if calls(tmp_path):
                raise KeyboardInterrupt
            time.sleep(0.02)
            return []

    mirror = Seen()
    hanging = job(tmp_path, 1, "hangs")
    with pytest.raises(KeyboardInterrupt):
        sweep([hanging], Interrupted(), mirror)
    assert "interrupted by Ctrl-C" in (hanging.record.path / "run.log").read_text()
    assert ("interrupted", hanging.record.identity) in mirror.told
