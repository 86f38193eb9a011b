"""python -m sweeps action: levels, differences paired by seed, published values and gaps, from runs alone."""

import csv
import io

import pytest

from equivariance.experiments.action import artefact
from sweeps.__main__ import main
from tests.sweeps.test_artefacts_controls import leave

LEVELS = {("same", "space"): 0.38, ("full", "space"): 0.41, ("full", "space+time"): 0.42}


@pytest.fixture
def runs(store, workdir):
    for (conv, axes), level in LEVELS.items():
        for seed in range(6):
            config = {"experiment": {"name": "action"}, "seed": seed, "conv": {"name": conv, "axes": axes}}
            config |= {"data": {"name": "ucf101"}, "arch": {"name": "resnet3d_18"}}
            accuracy = level + seed / 100
            metrics = {"accuracy": accuracy, "video_accuracy": accuracy, "train_accuracy": 0.8, "gap": 0.8 - accuracy}
            leave(workdir, config, {**metrics, "gmacs": 8.0, "n": 100.0})
    return workdir


def test_differences_are_paired_and_published_values_stand_beside(runs, capsys):
    assert main(["action", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = {(row["conv"], row["conv.axes"]): row for row in rows}
    assert list(found) == list(LEVELS)
    full = found["full", "space"]
    assert float(full["accuracy_mean"]) == pytest.approx(43.5)
    assert float(full["gap_mean"]) == pytest.approx(36.5)
    assert float(full["gmacs_mean"]) == 8
    assert float(full["less_same_accuracy"]) == pytest.approx(3)
    assert float(full["less_same_gap"]) == pytest.approx(-3)
    assert float(full["less_same_accuracy_p"]) == pytest.approx(2 / 2**6, abs=1e-4)
    assert found["same", "space"]["less_same_accuracy"] == ""
    assert [float(row["published"]) for row in rows] == [38.6, 40.6, 42.2]
    assert [row["published_gap"] for row in rows] == ["48.4000", "34.6000", ""]
    assert (runs / "results" / "action.svg").stat().st_size > 2000


def test_people_read_the_boundary_and_its_axes_once(runs, capsys):
    assert main(["action"]) == 0
    said = capsys.readouterr().out
    assert "space+time" in said
    assert "+3.0 [+3.0, +3.0] p=0.031" in said
    assert artefact.UNITS in said


def test_gaps_are_of_networks_that_have_published_accuracies():
    of = {
        q: {(r["data"], r["arch"]) for r in artefact.PUBLISHED.rows if r["quantity"] == q} for q in ("accuracy", "gap")
    }
    assert of["gap"] < of["accuracy"]
    assert {data for data, _ in of["accuracy"]} == {"ucf101", "hmdb51"}
