"""MLflow mirrors the run directories: what it shows, how it groups, how it is rebuilt, what its failure costs."""

import shutil
import subprocess
import sys
import time

import pytest

from sweeps.tracking import Mirror, sync
from tests.sweeps.runs import finished_run


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
    assert row["params.border"] == "16"
    assert row["params.seed"] == "3"
    assert row["params.optim.l2"] == "0.001"
    assert row["metrics.accuracy"] == 0.875
    assert row["metrics.n"] == 64
    assert row["metrics.margin"] == 0.1
    assert row["tags.identity"] == record.identity
    assert row["tags.commit"] == "abc"
    assert row["tags.device"] == "cpu"
    assert row["status"] == "FINISHED"
    assert row["end_time"].timestamp() - row["start_time"].timestamp() == 60


def test_each_epoch_and_both_files_are_there(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    mirror.log(record, result, None)
    run = mirror.read("quadrant")["run_id"][0]
    history = client(mirror).get_metric_history(run, "validation_loss")
    assert [(m.step, m.value) for m in history] == [(1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3))]
    assert {a.path for a in client(mirror).list_artifacts(run)} == {"config.yaml", "history.csv"}


def test_runs_of_a_sweep_hang_below_one_parent(mirror, workdir):
    for border in (0, 16):
        mirror.log(*finished_run(workdir / "runs", border=border, sweep="grid"), "grid")
    Mirror(None).log(*finished_run(workdir / "runs", border=32, sweep="grid"), "grid")  # another process goes on
    mirror.log(*finished_run(workdir / "runs", border=64), None)
    frame = mirror.read("quadrant").set_index("params.border")
    assert len(frame) == 4  # the parent is no run of its own
    parents = frame["tags.mlflow.parentRunId"]
    assert parents["0"] == parents["16"] == parents["32"]
    assert client(mirror).get_run(parents["0"]).data.tags["mlflow.runName"] == "sweep grid"
    assert frame["tags.sweep"]["0"] == "grid"
    assert not isinstance(parents["64"], str)


def test_a_run_made_anew_replaces_its_image(mirror, workdir):
    mirror.log(*finished_run(workdir / "runs", 0.5), None)
    mirror.log(*finished_run(workdir / "runs", 0.75), None)
    frame = mirror.read("quadrant")
    assert list(frame["metrics.accuracy"]) == [0.75]


def test_a_mark_says_where_a_run_is_mirrored(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    assert not mirror.mirrored(record)
    mirror.log(record, result, None)
    assert mirror.mirrored(record)
    assert not Mirror("http://127.0.0.1:9").mirrored(record)


def test_numbers_that_are_none_are_left_out(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    result["metrics"]["loss"] = float("inf")
    mirror.log(record, result, None)
    frame = mirror.read("quadrant")
    assert frame["metrics.accuracy"][0] == 0.75
    assert "metrics.loss" not in frame


def test_more_values_than_one_request_takes_are_all_logged(mirror, workdir):
    record, result = finished_run(workdir / "runs")
    record.finish([{"epoch": float(e), "a": 1.0, "b": 2.0, "c": float(e)} for e in range(1, 701)], result)
    mirror.log(record, result, None)
    run = mirror.read("quadrant")["run_id"][0]
    assert len(client(mirror).get_metric_history(run, "c")) == 700


def test_sync_logs_what_the_store_lacks_and_nothing_twice(mirror, workdir):
    for border in (0, 16, 32):
        finished_run(workdir / "runs", border=border)
    (workdir / "runs" / "quadrant" / "unfinished").mkdir()
    assert sync(workdir / "runs", mirror) == (3, 3)
    assert sync(workdir / "runs", Mirror(None)) == (0, 3)
    assert len(mirror.read("quadrant")) == 3


def test_a_lost_store_is_rebuilt_whatever_the_marks_say(mirror, workdir, store, empty_store):
    made = {finished_run(workdir / "runs", 0.5 + b / 100, sweep="grid", border=b)[0].identity for b in (0, 16, 32)}
    sync(workdir / "runs", mirror)
    before = mirror.read("quadrant")
    store.unlink()
    shutil.copy(empty_store, store)
    # Another process, as after a loss: this one still has the lost file open.
    command = [sys.executable, "-m", "sweeps", "sync"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("3 finished runs, 3 logged now")
    shutil.copy(store, workdir / "rebuilt.db")
    after = Mirror(f"sqlite:///{workdir}/rebuilt.db").read("quadrant")
    assert set(after["tags.identity"]) == made
    assert after["tags.mlflow.parentRunId"].nunique() == 1
    columns = ["tags.identity", "tags.sweep", "metrics.accuracy", "params.border", "start_time"]
    assert sorted(map(tuple, after[columns].to_numpy())) == sorted(map(tuple, before[columns].to_numpy()))


def test_no_runs_are_an_empty_table(mirror):
    assert len(mirror.read("quadrant")) == 0
    assert len(mirror.read("never heard of")) == 0


def test_a_dead_server_is_given_up_soon_and_costs_a_warning_only(workdir, monkeypatch, capsys):
    from sweeps.launcher import Job, launch

    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "1" if name.endswith("TIMEOUT") else "0")
    record, result = finished_run(workdir / "runs")
    began = time.monotonic()
    launch([Job(record, "run", lambda: result)], Mirror("http://127.0.0.1:9"), None)
    assert time.monotonic() - began < 30
    said = capsys.readouterr()
    assert "warning: MLflow at http://127.0.0.1:9 cannot be reached" in said.err
    assert "accuracy 75.0 %" in said.out
    assert not (record.path / "mirrored.json").exists()


def test_a_run_made_anew_while_the_store_was_away_replaces_its_old_image(workdir, tmp_path):
    from sweeps.tracking import Mirror, sync

    mirror = Mirror(f"sqlite:///{tmp_path / 'a.db'}")
    record, result = finished_run(tmp_path / "runs", accuracy=0.9)
    mirror.log(record, result, None)
    record.finish([], {**result, "metrics": {**result["metrics"], "accuracy": 0.1}})
    assert sync(tmp_path / "runs", mirror) == (1, 1)
    assert mirror.read(record.experiment)["metrics.accuracy"].tolist() == [0.1]
    assert sync(tmp_path / "runs", mirror) == (0, 1)
