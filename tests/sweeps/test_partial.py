"""Two writers of one run where no lock is honoured: neither disturbs the other, and what the dead left goes."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from sweeps import partial, records
from sweeps.claim import claim
from sweeps.launcher.attempt import attempt
from sweeps.records import Record, write
from tests.sweeps.jobs import job
from tests.sweeps.runs import BLANK, finished_run

# A process that writes the run's files, and stops in the middle of the one that is named, until its input closes.
WRITER = """
import fcntl, os, sys
from pathlib import Path
from sweeps import records
from tests.sweeps.runs import finished_run

def no_locks(*arguments):
    raise OSError(37, "No locks available")

fcntl.flock = no_locks
fsync, count = os.fsync, iter(range(9))

def stopping(file):
    fsync(file)
    if next(count) == int(sys.argv[2]):
        print("in flight", flush=True)
        sys.stdin.read()

records.os.fsync = stopping
record, _ = finished_run(Path(sys.argv[1]))
print(record.result() is not None)
"""
FILES = ("config.yaml", "history.csv", "result.json")


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def writer(runs, stops_at, root):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(runs), str(stops_at)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "in flight\n"
    return process


def left(folder):
    return sorted(p.name for p in folder.rglob(f"{partial.PARTIAL}*"))


@pytest.mark.parametrize("stops_at", range(3), ids=FILES)
def test_a_second_writer_leaves_the_first_ones_file_in_flight_alone(tmp_path, no_locks, root, stops_at):
    first = writer(tmp_path, stops_at, root)
    record, result = finished_run(tmp_path)  # whole, while the first one is in the middle of a file
    assert record.result() == result
    assert len(left(tmp_path)) == 1
    said, _ = first.communicate("", timeout=60)
    assert (said, first.returncode) == ("True\n", 0)
    assert record.result() == result
    assert sorted(p.name for p in record.path.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("stops_at", range(3), ids=FILES)
def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path, no_locks, root, stops_at):
    first = writer(tmp_path, stops_at, root)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    assert len(left(tmp_path)) == 1
    record, _ = finished_run(tmp_path)
    assert left(tmp_path) == []
    assert sorted(p.name for p in record.path.iterdir()) == sorted(FILES)


def test_two_sweeps_in_one_process_compute_one_run_at_once_without_locks(tmp_path, no_locks, monkeypatch):
    """Each stops in the middle of each file until the other one is in the middle of it too."""
    both, fsync, outcomes = threading.Barrier(2, timeout=60), os.fsync, []

    def together(file):
        fsync(file)
        if threading.current_thread() is not threading.main_thread():
            both.wait()

    mine = job(tmp_path, 0)
    monkeypatch.setattr(records.os, "fsync", together)
    threads = [threading.Thread(target=lambda: outcomes.append(attempt(mine, lambda row: None))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [o.status for o in outcomes] == ["done", "done"]
    assert mine.record.result() is not None
    assert left(tmp_path) == []


def test_kept_features_are_written_by_two_at_once(tmp_path, monkeypatch):
    """As the cache of features does, which asks for no claim."""
    both, fsync = threading.Barrier(2, timeout=60), os.fsync
    monkeypatch.setattr(records.os, "fsync", lambda file: (fsync(file), both.wait()))
    threads = [threading.Thread(target=write, args=(tmp_path / "f.safetensors", b"x" * 9)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [p.name for p in tmp_path.iterdir()] == ["f.safetensors"]


class TestWhoseFileItIs:
    def leave(self, folder, name, age=0.0):
        path = folder / name
        path.touch()
        now = path.stat().st_mtime
        os.utime(path, (now - age, now - age))
        return path

    @pytest.mark.parametrize(("age", "stays"), [(0.0, True), (3600.0, True), (90_000.0, False)])
    def test_of_another_machine_only_age_tells(self, tmp_path, age, stays):
        path = self.leave(tmp_path, f"{partial.PARTIAL}a.otherhost_1-1-0123456789abcdef", age)
        write(tmp_path / "a", b"new")
        assert path.exists() == stays

    @pytest.mark.parametrize("age", [0.0, 90_000.0])
    def test_so_it_is_for_a_name_that_says_nothing(self, tmp_path, age):
        path = self.leave(tmp_path, f"{partial.PARTIAL}a.0123456789abcdef", age)
        write(tmp_path / "a", b"new")
        assert path.exists() == (age == 0)

    def test_a_process_of_another_user_lives(self, tmp_path, monkeypatch):
        def denied(process, number):
            raise PermissionError

        path = self.leave(tmp_path, partial.partial_name("a"))
        monkeypatch.setattr(partial.os, "kill", denied)
        write(tmp_path / "a", b"new")
        assert path.exists()

    def test_files_of_other_names_are_no_concern(self, tmp_path):
        done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        dead = partial.partial_name("b").replace(f"-{os.getpid()}-", f"-{int(done.stdout)}-")
        path = self.leave(tmp_path, dead)
        write(tmp_path / "a", b"new")
        assert path.exists()
        write(tmp_path / "b", b"new")
        assert not path.exists()

    def test_every_name_is_another_and_fits_a_directory(self):
        names = {partial.partial_name("x" * 100) for _ in range(100)}
        assert len(names) == 100
        assert max(map(len, names)) <= 255


def test_a_run_is_not_claimed_where_no_lock_is_honoured(tmp_path, no_locks):
    """The premise of the tests above."""
    record = Record(tmp_path / "quadrant" / "x")
    with claim(record.path / records.CLAIM) as one, record.claim() as other:
        assert one
        assert other
    record.start("")
    record.finish([], BLANK)
    assert json.loads((record.path / "result.json").read_text())["identity"] == "x"
