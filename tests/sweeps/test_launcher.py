"""The launcher: reuse, failure, force, exit codes, and a mirror that may be down."""

import pytest

from equivariance.errors import UserError
from sweeps.launcher import Job, launch
from sweeps.records import Record
from tests.sweeps.runs import finished_run


class Recorder:
    """A mirror that notes what it is told, or is down."""

    uri = "http://nowhere"

    def __init__(self, down=False):
        self.down, self.logged, self.asked = down, [], 0

    def __getattr__(self, name):  # any other preparation succeeds
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **keywords: None

    def mirrored(self, record):
        return record.identity in self.logged

    def log(self, record, result, sweep):
        self.asked += 1
        if self.down:
            raise ConnectionError("connection refused\nsecond line")
        self.logged.append(record.identity)


@pytest.fixture
def job(tmp_path):
    """A job that computes by writing its record; `calls` counts."""
    calls = []

    def make(border, fails=None, force=False, twin=False):
        def compute():
            calls.append(border)
            if fails is not None:
                raise fails
            return finished_run(tmp_path, border=border)[1]

        identity = finished_run(tmp_path / "elsewhere", border=border)[0].identity
        return Job(Record(tmp_path / "quadrant" / identity), f"run {border}", compute, force)

    make.calls = calls
    return make


def test_jobs_are_computed_once_and_then_reused(job, capsys):
    mirror = Recorder()
    launch([job(0), job(16)], mirror, None)
    assert job.calls == [0, 16]
    assert len(mirror.logged) == 2
    launch([job(0), job(16), job(32)], mirror, None)
    assert job.calls == [0, 16, 32]
    said = capsys.readouterr().out
    assert "3 runs: 1 computed, 2 reused, 0 failed" in said
    assert "[1/3] run 0: accuracy 75.0 %, loss 0.500 (reused, " in said


def test_force_computes_anew(job):
    launch([job(0)], Recorder(), None)
    launch([job(0, force=True)], Recorder(), None)
    assert job.calls == [0, 0]


def test_the_same_run_twice_in_one_sweep_is_computed_once(job):
    launch([job(0), job(0)], Recorder(), None)
    assert job.calls == [0]


def test_a_failure_does_not_stop_the_others_and_is_told_at_the_end(job, capsys):
    with pytest.raises(SystemExit) as ended:
        launch([job(0), job(1, fails=RuntimeError("out of memory")), job(2)], Recorder(), None)
    assert ended.value.code == 1
    assert job.calls == [0, 1, 2]
    said = capsys.readouterr()
    assert "3 runs: 2 computed, 0 reused, 1 failed" in said.out
    assert "failed: run 1: RuntimeError: out of memory" in said.out
    assert "Traceback" not in said.err


def test_the_traceback_of_a_failure_is_kept_beside_the_run(job, tmp_path):
    failing = job(1, fails=RuntimeError("out of memory"))
    with pytest.raises(SystemExit):
        launch([failing], Recorder(), None)
    assert "Traceback" in (failing.record.path / "error.log").read_text()
    assert failing.record.result() is None


def test_the_users_mistake_has_exit_code_2_and_one_line(job, capsys):
    with pytest.raises(SystemExit) as ended:
        launch([job(0), job(1, fails=UserError("data.root=x: no such folder"))], Recorder(), None)
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == "error: data.root=x: no such folder"


def test_an_interrupt_ends_the_sweep(job):
    with pytest.raises(KeyboardInterrupt):
        launch([job(0, fails=KeyboardInterrupt()), job(1)], Recorder(), None)
    assert job.calls == [0]


def test_a_mirror_that_is_down_costs_one_warning_and_no_run(job, capsys):
    mirror = Recorder(down=True)
    launch([job(0), job(1), job(2)], mirror, None)
    said = capsys.readouterr()
    assert job.calls == [0, 1, 2]
    assert said.err.count("warning") == 1
    assert "connection refused" in said.err
    assert "second line" not in said.err
    assert "python -m sweeps sync" in said.err
    assert mirror.asked == 1  # not three times as long


def test_a_reused_run_that_the_mirror_lacks_is_logged(job):
    launch([job(0)], Recorder(down=True), None)
    mirror = Recorder()
    launch([job(0)], mirror, None)
    assert len(mirror.logged) == 1
    launch([job(0)], mirror, None)
    assert mirror.asked == 1
