"""Digests are remembered as long as a file is certain not to have changed, and no longer."""

import hashlib
import json
import multiprocessing
import os
import time

import pytest

from sweeps import digests
from sweeps.digests import file_digest, remembered


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.fixture
def settled(monkeypatch):
    """Files count as old enough to be remembered at once."""
    monkeypatch.setattr(digests, "STEP_OF_TIMES", -60.0)


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were read, in order."""
    names = []

    def counted(path):
        names.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(digests, "file_digest", counted)
    return names


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(name.encode() * 1000)
    return sorted(folder.iterdir()), tmp_path / "memo" / "x.json"


def test_a_file_counts_by_its_contents(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").write_bytes(b"x" * 100_000)
    (tmp_path / "c").write_bytes(b"x" * 99_999 + b"y")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") != file_digest(tmp_path / "c")
    assert file_digest(tmp_path / "a") == digest(b"x" * 100_000)


def test_unchanged_files_are_read_once(tree, settled, read):
    files, memo = tree
    expected = [digest(name.encode() * 1000) for name in "abc"]
    assert remembered(files, memo) == remembered(files, memo) == expected
    assert read == ["a", "b", "c"]


def test_relative_and_absolute_paths_are_one_file(tree, settled, read, monkeypatch):
    files, memo = tree
    remembered(files, memo)
    monkeypatch.chdir(files[0].parent)
    assert remembered([files[0].relative_to(files[0].parent)], memo) == [digest(b"a" * 1000)]
    assert read == ["a", "b", "c"]


def rewrite(file):
    file.write_bytes(b"z" * 1000)


def rewrite_with_old_times(file):
    """As `cp --preserve` and rsync do."""
    before = file.stat()
    file.write_bytes(b"z" * 1000)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(file):
    other = file.with_name("z")
    other.write_bytes(b"z" * 1000)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("change", [rewrite, rewrite_with_old_times, exchange])
def test_a_changed_file_is_read_again_and_the_others_are_not(tree, settled, read, change):
    files, memo = tree
    remembered(files, memo)
    time.sleep(0.02)  # the kernel's clock of file times ticks every few milliseconds
    change(files[1])
    assert remembered(files, memo)[1] == digest(b"z" * 1000)
    assert read == ["a", "b", "c", "b"]


def test_a_file_changed_just_now_is_not_remembered(tree, read):
    """A second change within the same tick of the clock would not show in its times."""
    files, memo = tree
    remembered(files, memo)
    remembered(files, memo)
    assert read == ["a", "b", "c"] * 2


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tree, settled, monkeypatch):
    files, memo = tree

    def slowly(path):
        found = file_digest(path)
        time.sleep(0.02)
        path.write_bytes(b"z" * 1000)
        return found

    monkeypatch.setattr(digests, "file_digest", slowly)
    remembered(files[:1], memo)
    monkeypatch.undo()
    assert remembered(files[:1], memo) == [digest(b"z" * 1000)]


@pytest.mark.parametrize(
    "broken",
    [b"", b"\0\xff", b"{", b"[]", b"3", b"[" * 100_000, b'{"%s": 3}', b'{"%s": [1000, 0, 0, null]}', b'{"%s": []}'],
)
def test_a_broken_memo_is_ignored_and_replaced(tree, settled, broken):
    files, memo = tree
    memo.parent.mkdir()
    memo.write_bytes(broken.replace(b"%s", os.fsencode(files[0])))
    assert remembered(files, memo) == [digest(name.encode() * 1000) for name in "abc"]
    assert json.loads(memo.read_bytes()).keys() == {str(file) for file in files}


def test_a_memo_that_cannot_be_written_costs_nothing_but_time(tree, settled):
    files, memo = tree
    memo.parent.write_text("no folder")
    assert remembered(files, memo)[0] == digest(b"a" * 1000)


def test_names_may_be_any_bytes(tree, settled, read):
    files, memo = tree
    odd = files[0].with_name(os.fsdecode(b"caf\xe9\n\x1b[31m"))
    odd.write_bytes(b"odd")
    assert remembered([odd], memo) == remembered([odd], memo) == [digest(b"odd")]
    assert len(read) == 1


def test_several_processes_at_once_leave_a_whole_memo(tree):
    files, memo = tree
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(files, memo)) for _ in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if memo.exists():
            assert json.loads(memo.read_bytes())
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert os.listdir(memo.parent) == [memo.name]


def _write_often(files, memo):
    digests.STEP_OF_TIMES = -60.0
    for _ in range(20):
        for file in files:
            file.touch()
            assert remembered(files, memo) == [digest(name.encode() * 1000) for name in "abc"]
