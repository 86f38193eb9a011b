"""The mirror is told in the background: nobody waits for it, and its failure costs a warning."""

import threading
import time
from pathlib import Path

import pytest

from sweeps.launcher.mirroring import Mirroring
from sweeps.launcher.source import Outcome
from sweeps.records import Record


class Told:
    """A mirror that notes what it is told; `answers` decides what it does then."""

    uri = "a store"

    def __init__(self, answers=lambda what: None, has=()):
        self.said, self.answers, self.has = [], answers, has

    def mirrored(self, record, result):
        return record.identity in self.has

    def prepare(self, experiment):
        self._note("prepare", experiment)

    def begin(self, record, label, sweep, began):
        self._note("begin", record.identity)

    def log(self, record, result, sweep):
        self._note("log", record.identity)

    def end(self, record, status, reason):
        self._note(status, record.identity)

    def _note(self, what, who):
        self.said.append(f"{what} {who}")
        self.answers(what)


def record(name):
    return Record(Path("runs") / "quadrant" / name)


DONE = Outcome("done", {"metrics": {}})


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("sweeps.launcher.mirroring.DELAY", 0.3)
    monkeypatch.setattr("sweeps.launcher.mirroring.TICK", 0.01)


def wait_for(said, count):
    until = time.monotonic() + 10
    while len(said) < count and time.monotonic() < until:
        time.sleep(0.01)


def test_a_short_run_is_logged_in_one_go():
    told = Told()
    mirroring = Mirroring(told, None)
    mirroring.begin(record("a"), "a")
    mirroring.ended(record("a"), DONE)
    mirroring.close()
    assert told.said == ["prepare quadrant", "log a"]


def test_a_longer_run_is_shown_while_it_runs():
    told = Told()
    mirroring = Mirroring(told, None)
    mirroring.begin(record("a"), "a")
    wait_for(told.said, 2)
    mirroring.ended(record("a"), DONE)
    mirroring.close()
    assert told.said == ["prepare quadrant", "begin a", "log a"]


def test_a_failed_run_is_shown_however_short():
    told = Told()
    mirroring = Mirroring(told, None)
    mirroring.begin(record("a"), "a")
    mirroring.ended(record("a"), Outcome("failed", reason="out of memory"))
    mirroring.close()
    assert told.said == ["prepare quadrant", "begin a", "FAILED a"]


def test_runs_that_were_stopped_or_pruned_are_killed_where_they_were_shown():
    told = Told()
    mirroring = Mirroring(told, None)
    mirroring.begin(record("a"), "a")
    mirroring.begin(record("b"), "b")
    wait_for(told.said, 3)
    mirroring.begin(record("c"), "c")
    mirroring.ended(record("a"), Outcome("pruned"))
    mirroring.interrupted(record("b"))
    mirroring.interrupted(record("c"))
    mirroring.close()
    assert told.said == ["prepare quadrant", "begin a", "begin b", "KILLED a", "KILLED b"]


def test_what_is_mirrored_already_costs_no_connection(capsys):
    told = Told(has=("a", "b"))
    mirroring = Mirroring(told, None)
    mirroring.ended(record("a"), Outcome("reused", {}))
    mirroring.ended(record("b"), Outcome("reused", {}))
    mirroring.close()
    assert told.said == []
    mirroring.ended(record("c"), Outcome("reused", {}))
    mirroring.close()
    assert told.said == ["prepare quadrant", "log c"]
    assert capsys.readouterr().err == ""


def test_nobody_waits_for_the_mirror(capsys):
    told = Told(answers=lambda what: time.sleep(0.5))
    mirroring = Mirroring(told, None)
    began = time.monotonic()
    for name in "abc":
        mirroring.begin(record(name), name)
        mirroring.ended(record(name), DONE)
    assert time.monotonic() - began < 0.2
    mirroring.close(patience=1.2)  # less than all take together
    assert told.said[1:] == ["log a", "log b", "log c"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("where", ["prepare", "begin", "log"])
def test_the_first_failure_costs_one_warning_and_the_rest_is_counted(where, capsys):
    def answers(what):
        if what == where:
            raise ConnectionError("no such host\nand much more")

    told = Told(answers)
    mirroring = Mirroring(told, None)
    for name in "abc":
        mirroring.begin(record(name), name)
    if where == "begin":
        wait_for(told.said, 2)
    for name in "abc":
        mirroring.ended(record(name), DONE)
    mirroring.close()
    assert told.said[-1].startswith(where)
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "warning: MLflow at a store cannot be reached (no such host); runs go on and are kept;"
        " log them later with: python -m sweeps sync"
    )
    assert second.startswith("warning: 3 of 3 finished runs are not in MLflow")


def test_a_fault_of_the_mirror_is_seen_and_costs_no_run(capsys):
    def answers(what):
        return {}["a key"]

    mirroring = Mirroring(Told(answers), None)
    mirroring.ended(record("a"), DONE)
    mirroring.close()
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "in answers" in said
    assert "warning: 1 of 1 finished runs are not in MLflow" in said


def test_a_mirror_that_does_not_answer_is_given_up(capsys):
    hang = threading.Event()

    def answers(what):
        if what == "log":
            hang.wait(30)
            raise TimeoutError("timed out at last")

    told = Told(answers)
    mirroring = Mirroring(told, None)
    mirroring.ended(record("a"), DONE)
    mirroring.ended(record("b"), DONE)
    began = time.monotonic()
    mirroring.close(patience=0.3)
    assert time.monotonic() - began < 5
    said = capsys.readouterr().err
    assert "warning: MLflow at a store cannot be reached (no answer in 0.3 s)" in said
    assert "warning: 2 of 2 finished runs are not in MLflow" in said
    hang.set()
    mirroring._thread.join(10)
    assert capsys.readouterr().err == ""
