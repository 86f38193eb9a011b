"""Run directories: a result is whole or not there, whatever interrupts its writing."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps import records
from sweeps.errors import NotFinite
from sweeps.records import Record, finished, table, write
from tests.sweeps.runs import BLANK, finished_run


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_result_torn_at_any_byte_is_unfinished(tmp_path):
    record, result = finished_run(tmp_path)
    file = record.path / "result.json"
    whole = file.read_bytes()
    assert record.result() == result
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert record.result() is None, length
        assert list(finished(tmp_path)) == [], length
    file.write_bytes(whole)
    assert record.result() == result


@pytest.mark.parametrize("content", [b"null", b"[]", b"3", b"{}", b'"x"', b"\xff\xfe", b'{"identity": "another"}'])
def test_a_result_of_something_else_is_unfinished(tmp_path, content):
    record, _ = finished_run(tmp_path)
    (record.path / "result.json").write_bytes(content)
    assert record.result() is None


def test_a_copied_directory_is_not_taken_for_another_run(tmp_path):
    record, _ = finished_run(tmp_path)
    moved = record.path.rename(record.path.with_name("0123456789abcdef"))
    assert Record(moved).result() is None


def test_a_new_start_keeps_the_old_result_until_a_new_one_replaces_it(tmp_path):
    record, _ = finished_run(tmp_path)
    old = record.result()
    record.start("border: 1\n")
    assert record.result() == old
    record.finish([], BLANK | {"metrics": {"accuracy": 0.25}})
    assert record.result()["metrics"] == {"accuracy": 0.25}
    assert (record.path / "config.yaml").read_text() == "border: 1\n"


def test_the_result_is_written_last(tmp_path, monkeypatch):
    written = []
    replace = os.replace
    monkeypatch.setattr(records.os, "replace", lambda a, b: (written.append(b.name), replace(a, b)))
    finished_run(tmp_path)
    assert written == ["config.yaml", "history.csv", "result.json"]


def test_finished_runs_come_in_a_fixed_order_and_by_experiment(tmp_path):
    made = {finished_run(tmp_path, border=b)[0].identity for b in range(5)}
    (tmp_path / "quadrant" / "unfinished").mkdir()
    assert [r.identity for r, _ in finished(tmp_path)] == sorted(made)
    assert list(finished(tmp_path, "rook")) == []
    assert list(finished(tmp_path / "nowhere")) == []


class TestWrite:
    @pytest.mark.parametrize("existed", [True, False])
    @pytest.mark.parametrize("fails", ["replace", "fsync"])
    def test_a_failure_leaves_what_was_there_and_nothing_else(self, tmp_path, monkeypatch, existed, fails):
        path = tmp_path / "result.json"
        if existed:
            path.write_bytes(b"old")

        def full_disk(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(records.os, fails, full_disk)
        with pytest.raises(OSError, match="No space"):
            write(path, b"new")
        assert names(tmp_path) == (["result.json"] if existed else [])
        assert not existed or path.read_bytes() == b"old"

    def test_an_interrupt_in_the_middle_leaves_nothing(self, tmp_path, monkeypatch):
        def interrupt(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(records.os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "a", b"new")
        assert names(tmp_path) == []

    def test_a_write_that_raises_leaves_nothing(self, tmp_path):
        with pytest.raises(TypeError):
            write(tmp_path / "a", "text is no bytes")
        assert names(tmp_path) == []

    def test_contents_are_on_disk_before_the_name(self, tmp_path, monkeypatch):
        order = []
        fsync, replace = os.fsync, os.replace
        monkeypatch.setattr(records.os, "fsync", lambda f: (order.append("fsync"), fsync(f)))
        monkeypatch.setattr(records.os, "replace", lambda a, b: (order.append("replace"), replace(a, b)))
        write(tmp_path / "deep" / "er" / "a", b"new")
        assert order[:2] == ["fsync", "replace"]
        assert (tmp_path / "deep" / "er" / "a").read_bytes() == b"new"


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["epoch", "lr", "loss"]), st.floats(allow_nan=False), min_size=1), min_size=1
    )
)
def test_a_history_comes_back_to_the_last_digit(tmp_path_factory, rows):
    record = Record(tmp_path_factory.mktemp("runs") / "quadrant" / "x")
    record.finish(rows, BLANK)
    assert record.history() == rows


def test_columns_of_a_table_come_in_order_of_appearance():
    assert table([{"b": 1.0}, {"a": 0.1, "b": 2.0}]) == "b,a\n1.0,\n2.0,0.1\n"
    assert table([]).strip() == ""


def test_a_result_is_json_that_people_can_read(tmp_path):
    record, _ = finished_run(tmp_path)
    text = (record.path / "result.json").read_text()
    assert json.loads(text)["metrics"]["accuracy"] == 0.75
    assert text.count("\n") > 10


BAD = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("bad", [*map(json.dumps, BAD), "1e999", "-1e999"])
def test_a_result_on_disk_that_is_not_finite_is_unfinished(tmp_path, bad):
    """As left by earlier versions."""
    record, _ = finished_run(tmp_path)
    file = record.path / "result.json"
    file.write_text(file.read_text().replace('"loss": 0.5', f'"loss": {bad}'))
    assert bad in file.read_text()
    assert record.result() is None
    assert list(finished(tmp_path)) == []


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["metrics", "config", "notes"])
def test_a_result_that_is_not_finite_is_never_written(tmp_path, bad, where):
    record, kept = finished_run(tmp_path)
    names_before = names(record.path)
    values = {part: {} for part in records.PARTS} | {where: {"fine": 1.0, "loss": bad}}
    with pytest.raises(NotFinite, match=f"^not finite: {where}.loss {bad}$"):
        record.finish([{"epoch": 1.0}], values)
    assert record.result() == kept
    assert len(record.history()) == 3
    assert names(record.path) == names_before


def test_a_result_is_strict_json(tmp_path):
    record, _ = finished_run(tmp_path)

    def refuse(constant):
        pytest.fail(constant)

    assert json.loads((record.path / "result.json").read_text(), parse_constant=refuse)
    with pytest.raises(ValueError, match="JSON"):
        record.finish([], BLANK | {"notes": {"a": [float("nan")]}})  # wherever it hides
