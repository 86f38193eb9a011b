"""python -m sweeps action: levels, differences paired by seed, published values and gaps, from runs alone."""

import csv
import io

import pytest

from equivariance.experiments.action import artefact
from sweeps.__main__ import main
from tests.sweeps.test_artefacts_controls import leave

LEVELS = {("same", "space"): 0.38, ("full", "space"): 0.41, ("full", "space+time"): 0.42}


def leave_six(workdir, conv, axes, level, control="none"):
    for seed in range(6):
        config = {"experiment": {"name": "action", "control": control}, "seed": seed}
        config |= {"conv": {"name": conv, "axes": axes}}
        config |= {"data": {"name": "ucf101"}, "arch": {"name": "resnet3d_18"}}
        accuracy = level + seed / 100
        metrics = {"accuracy": accuracy, "video_accuracy": accuracy, "train_accuracy": 0.8, "gap": 0.8 - accuracy}
        leave(workdir, config, {**metrics, "gmacs": 8.0, "n": 100.0})


@pytest.fixture
def runs(store, workdir):
    for (conv, axes), level in LEVELS.items():
        leave_six(workdir, conv, axes, level)
    return workdir


def compared(runs):
    with (runs / "results" / "action_comparisons.csv").open() as file:
        return {(row["metric"], row["variant"], row["less"]): row for row in csv.DictReader(file)}


def test_each_boundary_is_compared_with_same_by_seed(runs):
    assert main(["action"]) == 0
    found = compared(runs)
    assert len(found) == 4
    accuracy, gap = (found[metric, "full in space", "same"] for metric in ("accuracy", "gap"))
    assert float(accuracy["difference"]) == pytest.approx(3)
    assert float(gap["difference"]) == pytest.approx(-3)
    assert float(accuracy["sign"]) == pytest.approx(2 / 2**6, abs=1e-4)
    assert float(found["accuracy", "full in space+time", "same"]["difference"]) == pytest.approx(4)


def test_each_boundary_is_compared_with_its_own_controls(runs):
    for conv, axes, control, level in [
        ("same", "space", "margin", 0.40),
        ("same", "space+time", "margin", 0.35),
        ("same", "space", "width", 0.41),
        ("full", "space", "crop", 0.37),
    ]:
        leave_six(runs, conv, axes, level, control)
    assert main(["action"]) == 0
    found = {(v, less): float(row["difference"]) for (m, v, less), row in compared(runs).items() if m == "accuracy"}
    wanted = {
        ("full in space", "same"): 3,
        ("full in space", "same in space, margin"): 1,
        ("full in space", "same in space, width"): 0,
        ("full in space", "full in space, crop"): 4,
        ("full in space+time", "same"): 4,
        ("full in space+time", "same in space+time, margin"): 7,
    }
    assert found == pytest.approx(wanted)
    with (runs / "results" / "action.csv").open() as file:
        published = [(row["experiment.control"], row["published"]) for row in csv.DictReader(file) if row["published"]]
    assert [control for control, _ in published] == ["none"] * 3


def test_differences_are_paired_and_published_values_stand_beside(runs, capsys):
    assert main(["action", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = {(row["conv"], row["conv.axes"]): row for row in rows}
    assert list(found) == list(LEVELS)
    full = found["full", "space"]
    assert float(full["accuracy_mean"]) == pytest.approx(43.5)
    assert float(full["gap_mean"]) == pytest.approx(36.5)
    assert float(full["gmacs_mean"]) == 8
    assert [float(row["published"]) for row in rows] == [38.6, 40.6, 42.2]
    assert [row["published_gap"] for row in rows] == ["48.4000", "34.6000", ""]
    assert (runs / "results" / "action.svg").stat().st_size > 2000


def test_people_read_the_boundary_and_its_axes_once(runs, capsys):
    assert main(["action"]) == 0
    said = capsys.readouterr().out
    assert "space+time" in said
    assert "+3.0 [+3.0, +3.0]" in said
    assert artefact.UNITS in said


def test_events_in_time_are_a_table_of_their_own_by_border(runs):
    for border, accuracy in [(0, 0.9), (8, 0.7), (16, 0.6)]:
        for axes, less in [("space+time", 0), ("space", 0.05)]:
            config = {"experiment": {"name": "action"}, "seed": 0, "init": {"name": "scratch"}}
            config |= {"data": {"name": "moving", "event": "class", "border": border}, "arch": {"name": "resnet3d_8"}}
            metrics = dict.fromkeys(("accuracy", "video_accuracy", "train_accuracy"), accuracy - less) | {"gap": 0.0}
            conv = {"conv": {"name": "full", "axes": axes}}
            leave(runs, {**config, **conv}, {**metrics, "gmacs": 1.0, "n": 100.0})
    assert main(["action"]) == 0
    with (runs / "results" / "action_event.csv").open() as file:
        rows = [(row["arch"], int(row["border"]), float(row["accuracy_mean"])) for row in csv.DictReader(file)]
    assert rows == [
        ("resnet3d_8, space", 0, 85),
        ("resnet3d_8, space", 8, 65),
        ("resnet3d_8, space", 16, 55),
        ("resnet3d_8, space+time", 0, 90),
        ("resnet3d_8, space+time", 8, 70),
        ("resnet3d_8, space+time", 16, 60),
    ]
    assert (runs / "results" / "action_event.svg").stat().st_size > 2000
    with (runs / "results" / "action.csv").open() as file:
        borders = [row["data.border"] for row in csv.DictReader(file) if row["data"] == "moving"]
    assert borders == ["0", "0", "8", "8", "16", "16"]


def test_without_events_in_time_there_is_no_table_of_them(runs):
    assert main(["action"]) == 0
    assert not list((runs / "results").glob("action_event*"))


def test_gaps_are_of_networks_that_have_published_accuracies():
    of = {
        q: {(r["data"], r["arch"]) for r in artefact.PUBLISHED.rows if r["quantity"] == q} for q in ("accuracy", "gap")
    }
    assert of["gap"] < of["accuracy"]
    assert {data for data, _ in of["accuracy"]} == {"ucf101", "hmdb51"}
