"""MLflow mirrors the run directories: what it shows, how it groups, what replaces what."""

import json
import shutil
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sweeps import tables
from sweeps.records import Record
from sweeps.tracking.mirror import Mirror
from sweeps.tracking.sync import sync
from tests.sweeps.images import expected, ids, shown
from tests.sweeps.runs import finished_run
from tests.sweeps.test_artefacts_controls import leave


@pytest.fixture
def mirror(store):
    return Mirror(None)


def client(mirror):
    from mlflow import MlflowClient

    return MlflowClient(mirror.uri)


def test_a_run_shows_params_metrics_and_tags(mirror, workdir):
    record, result = finished_run(workdir / "runs", 0.875, border=16, seed=3)
    mirror.log(record, result, None)
    (row,) = mirror.read("quadrant").to_dict("records")
    assert row["params.arch"] == "resnet18"
    assert row["params.border"] == 16
    assert row["params.seed"] == 3
    assert row["params.optim.l2"] == 0.001
    assert row["metrics.accuracy"] == 0.875
    assert row["metrics.n"] == 64
    assert row["metrics.margin"] == 0.1
    assert row["tags.identity"] == record.identity
    assert row["tags.record"] == str(record.path)
    assert row["tags.commit"] == "abc"
    assert row["tags.device"] == "cpu"
    run = client(mirror).get_run(row["run_id"])
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 60_000
    assert run.data.params["border"] == "16"


def test_each_epoch_and_both_files_are_there(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    mirror.log(record, result, None)
    run = mirror.read("quadrant")["run_id"][0]
    history = client(mirror).get_metric_history(run, "validation_loss")
    assert [(m.step, m.value) for m in history] == [(1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3))]
    assert {a.path for a in client(mirror).list_artifacts(run)} == {"config.yaml", "history.csv", "result.json"}


def test_a_directory_of_which_only_the_result_was_copied_is_logged(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    (record.path / "history.csv").unlink()
    (record.path / "config.yaml").unlink()
    mirror.log(record, result, None)
    assert list(mirror.read("quadrant")["metrics.accuracy"]) == [0.75]


def test_runs_of_a_sweep_hang_below_one_parent(mirror, workdir):
    for border in (0, 16):
        mirror.log(*finished_run(workdir / "runs", border=border, sweep="it's"), "it's")
    Mirror(None).log(*finished_run(workdir / "runs", border=32, sweep="it's"), "it's")  # another process goes on
    mirror.log(*finished_run(workdir / "runs", border=64), None)
    frame = mirror.read("quadrant").set_index("params.border")
    assert len(frame) == 4  # the parent is no run of its own
    parents = frame["tags.mlflow.parentRunId"]
    assert parents[0] == parents[16] == parents[32]
    assert client(mirror).get_run(parents[0]).data.tags["mlflow.runName"] == "sweep its"
    assert frame["tags.sweep"][0] == "it's"
    assert not isinstance(parents[64], str)


def test_a_run_is_shown_while_it_runs_and_completed_in_place(mirror, workdir, store):
    record, result = finished_run(workdir / "runs", sweep="grid")
    mirror.begin(record, "a label", "grid", 1_600_000_000.0)
    mirror.begin(record, "a label", "grid", 1_600_000_000.0)  # its second try
    (running,) = ids(store, "RUNNING")
    info = client(mirror).get_run(running)
    assert (info.info.run_name, info.info.start_time) == ("a label", 1_600_000_000_000)
    mirror.log(record, result, "grid")
    assert ids(store, "RUNNING") == []
    assert running in ids(store, "FINISHED")
    assert shown(store) == expected(workdir / "runs")
    assert mirror.read("quadrant")["tags.commit"].iloc[0] == "abc"


def test_a_run_that_another_process_logged_meanwhile_is_shown_once(mirror, workdir, store):
    record, result = finished_run(workdir / "runs")
    with record.claim():
        mirror.begin(record, "run", None, 1.0)
        Mirror(None).log(record, result, None)
        assert len(ids(store, "RUNNING")) == 1
    mirror.log(record, result, None)
    assert ids(store, "RUNNING") == ids(store, "KILLED") == []
    assert shown(store) == expected(workdir / "runs")


def test_a_failed_run_shows_why(mirror, workdir, store):
    record = Record(workdir / "runs" / "quadrant" / "abc")
    mirror.begin(record, "run", None, 1.0)
    mirror.end(record, "FAILED", "out of memory")
    (run,) = ids(store, "FAILED")
    assert client(mirror).get_run(run).data.tags["reason"] == "out of memory"
    mirror.end(record, "FAILED", "again")  # which was not begun
    assert len(ids(store, "FAILED")) == 1


def test_a_run_made_anew_replaces_its_image(mirror, workdir, store):
    mirror.log(*finished_run(workdir / "runs", 0.5), None)
    record, result = finished_run(workdir / "runs", 0.75)
    later = {**result, "ended": result["ended"] + 5}
    record.finish([{"epoch": 1.0, "train_loss": 0.5}], later)
    assert not mirror.mirrored(record, later)
    Mirror(None).log(record, later, None)
    assert shown(store) == expected(workdir / "runs")
    assert list(mirror.read("quadrant")["metrics.accuracy"]) == [0.75]


def test_a_mark_says_where_a_run_is_mirrored(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    assert not mirror.mirrored(record, result)
    mirror.log(record, result, None)
    assert mirror.mirrored(record, result)
    assert Mirror(None).mirrored(record, result)
    assert not Mirror("http://127.0.0.1:9").mirrored(record, result)
    assert not mirror.mirrored(record, {**result, "ended": 1.0})


def test_a_mark_holds_after_all_has_been_moved_together(mirror, workdir, monkeypatch):
    record, result = finished_run(workdir / "runs")
    mirror.log(record, result, None)
    moved = workdir / "elsewhere"
    moved.mkdir()
    shutil.move(workdir / "runs", moved)
    shutil.move(workdir / "mlflow.db", moved)
    monkeypatch.chdir(moved)
    assert Mirror(None).mirrored(Record(moved / "runs" / "quadrant" / record.identity), result)


def test_two_stores_in_turn_hold_each_run_once(mirror, workdir, store, empty_store):
    record, result = finished_run(workdir / "runs")
    other = shutil.copy(empty_store, workdir / "other.db")
    for _ in range(2):
        Mirror(None).log(record, result, None)
        Mirror(f"sqlite:///{other}").log(record, result, None)
    assert shown(store) == shown(other) == expected(workdir / "runs")


def test_a_lost_store_is_filled_again_whatever_the_marks_say(workdir, empty_store):
    record, result = finished_run(workdir / "runs")
    first, second = workdir / "first", workdir / "second"
    for folder in (first, second):
        folder.mkdir()
    shutil.copy(empty_store, first / "mlflow.db")
    Mirror(f"sqlite:///{first}/mlflow.db").log(record, result, None)
    # As if the first had been lost: a mark in the directory, and no database when the process starts.
    mark = record.path / "mlflow.json"
    mark.write_text(mark.read_text().replace("first", "second"))
    mirror = Mirror(f"sqlite:///{second}/mlflow.db")
    assert not mirror.mirrored(record, result)
    shutil.copy(empty_store, second / "mlflow.db")
    mirror.log(record, result, None)
    assert shown(second / "mlflow.db") == expected(workdir / "runs")


def test_a_damaged_mark_is_no_mark(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    (record.path / "mlflow.json").write_text('{"../')
    assert not mirror.mirrored(record, result)
    mirror.log(record, result, None)
    assert mirror.mirrored(record, result)


def test_numbers_that_are_none_are_left_out(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    result["metrics"]["loss"] = float("inf")
    mirror.log(record, result, None)
    (run,) = mirror.images("quadrant")[record.identity]
    assert run.data.metrics["accuracy"] == 0.75
    assert "loss" not in run.data.metrics


def test_more_values_than_one_request_takes_are_all_logged(mirror, workdir, store):
    record, result = finished_run(workdir / "runs")
    result["config"]["data"] |= {f"option{n}": n for n in range(150)}
    record.finish([{"epoch": float(e), "a": 1.0, "b": 2.0, "c": float(e)} for e in range(1, 701)], result)
    mirror.log(record, result, None)
    assert shown(store) == expected(workdir / "runs")


def test_names_and_notes_of_any_length_are_logged(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    result |= {"label": "x" * 1000, "notes": {"skipped": "picture.png; " * 10_000}}
    mirror.log(record, result, "border=" + ",".join(map(str, range(5000))))
    assert mirror.read("quadrant")["tags.skipped"].iloc[0].startswith("picture.png; ")


def test_an_experiment_deleted_by_hand_is_taken_up_again(mirror, workdir, store):
    record, result = finished_run(workdir / "runs")
    mirror.prepare("quadrant")
    client(mirror).delete_experiment(mirror._store.experiment("quadrant"))
    Mirror(None).log(record, result, None)
    assert shown(store) == expected(workdir / "runs")


def test_no_runs_are_an_empty_table(mirror):
    assert len(mirror.read("quadrant")) == 0
    assert len(mirror.read("never heard of")) == 0


def test_an_address_is_shown_and_kept_without_its_password(workdir):
    mirror = Mirror("postgresql+psycopg2://user:secret@127.0.0.1:1/mlflow")
    assert mirror.uri == "postgresql+psycopg2://127.0.0.1:1/mlflow"
    record, _ = finished_run(workdir / "runs")
    from sweeps.tracking.mark import Mark

    mark = Mark(record, mirror._store)
    with mark.claim():
        mark.set("run", 1)
    assert "secret" not in (record.path / "mlflow.json").read_text()
    assert json.loads((record.path / "mlflow.json").read_text())
    assert (mark.run, mark.ended) == ("run", 1)


def test_runs_are_read_page_by_page():
    from mlflow.store.entities import PagedList

    class Pages:
        def search_runs(self, numbers, query, page_token=None):
            start = int(page_token or 0)
            return PagedList(range(start, start + 2), str(start + 2) if start < 4 else None)

    mirror = Mirror("http://127.0.0.1:9")
    mirror._store.client = Pages()
    mirror._store._experiments["quadrant"] = "1"
    assert mirror._store.runs("quadrant", "") == [0, 1, 2, 3, 4, 5]


def artifact(run):
    return Path(run.info.artifact_uri.removeprefix("file://")) / "result.json"


def test_runs_of_an_earlier_version_are_logged_anew_where_their_directory_is(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    mirror.log(record, result, None)
    ((run,),) = mirror.images("quadrant").values()
    artifact(run).unlink()
    assert list(Mirror(None).read("quadrant")["metrics.accuracy"]) == [0.75]
    assert len(Mirror(None).images("quadrant")[record.identity]) == 1


def test_runs_without_a_result_anywhere_are_left_out_and_counted(mirror, workdir, capsys):
    for border in (0, 16):
        mirror.log(*finished_run(workdir / "runs", border=border), None)
    bare = next(run for (run,) in mirror.images("quadrant").values() if run.data.params["border"] == "16")
    artifact(bare).write_text("torn")
    shutil.rmtree(bare.data.tags["record"])
    assert list(mirror.read("quadrant")["params.border"]) == [0]
    assert capsys.readouterr().err.startswith("left out: 1 runs of which sqlite:///")


def test_a_store_that_dies_while_it_is_read_is_no_run_without_a_result(mirror, workdir, monkeypatch):
    from mlflow.exceptions import MlflowException

    def died(*arguments):
        raise MlflowException("connection refused")

    mirror.log(*finished_run(workdir / "runs"), None)
    monkeypatch.setattr("sweeps.tracking.reading.urlsplit", lambda uri: urlsplit("mlflow-artifacts:/x"))
    monkeypatch.setattr(mirror._store.client, "download_artifacts", died)
    with pytest.raises(MlflowException, match="connection refused"):
        mirror.read("quadrant")


def test_null_and_a_value_are_two_settings_and_one_that_a_run_does_not_have_is_none(store, workdir):
    kwargs = (None, {}, {"width": 4}, {"width": 4, "name": "other"})
    archs = [{"name": "python", "kwargs": own} for own in kwargs]
    optims = [{"name": "cosine", "updates": updates} for updates in (None, 7)] + [{"name": "adam"}]
    for seed, (arch, optim) in enumerate(product(archs, optims)):
        config = {
            "experiment": {"name": "action"},
            "seed": seed,
            "arch": arch,
            "optim": optim,
            "conv": {"name": "same"},
        }
        leave(workdir, config | {"data": {"name": "moving"}}, {"accuracy": 0.5, "n": 10.0})
    sync(workdir / "runs", Mirror(None), "action")
    settings, found = tables.groups(Mirror(None).read("action"), ["conv"])
    assert settings == ["arch.kwargs", "arch.kwargs.width", "optim", "optim.updates"]
    assert len(found) == 9  # no arguments are none, however they are written
    assert {key[-2:] for key, _ in found} == {("cosine", "null"), ("cosine", "7"), ("adam", "-")}
