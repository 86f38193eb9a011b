"""python -m sweeps leak_distance: distances in pixels beside theory's bound, from runs as they leave them."""

import csv
import io
import math

import pytest

from equivariance.experiments.leak_distance import artefact as leak_distance
from sweeps.__main__ import main
from tests.sweeps.test_artefacts_controls import leave

CELLS = {
    ("resnet18", "same"): [(144, 152, 433), (152, 160, 433), (160, 168, 433)],
    ("bagnet33", "same"): [(24, 29, 29)],
    ("bagnet33", "unbounded"): [(0, 0, 0), (0, 0, 0)],
    ("bagnet33", "full"): [(0, 0, 29)],
    ("mobilenet_v3_small", "same"): [(512, None, None), (504, 512, None)],
}


@pytest.fixture
def runs(store, workdir):
    for (arch, conv), seeds in CELLS.items():
        for seed, (lower, upper, bound) in enumerate(seeds):
            config = {"experiment": {"name": "leak_distance", "resolution": 8}, "seed": seed}
            config |= {"arch": {"name": arch}, "conv": {"name": conv}, "init": {"name": "frozen-random"}}
            metrics = {"leak_distance": lower, "not_decodable": upper, "bound": bound, "accuracy": 0.6, "n": 64}
            leave(workdir, config, {name: float(value) for name, value in metrics.items() if value is not None})
    return workdir


def test_the_csv_has_distance_interval_and_bound_in_pixels(runs, capsys):
    assert main(["leak_distance", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    numbers = ["n", "distance_mean", "distance_std", "low", "high", "over", "bound"]
    assert list(rows[0]) == ["arch", "init", "conv", *numbers]
    found = {(r["arch"], r["conv"]): r for r in rows}
    assert set(found) == set(CELLS)
    deep = found["resnet18", "same"]
    assert (deep["n"], float(deep["distance_mean"]), float(deep["distance_std"])) == ("3", 152, 8)
    half = 4.302653 * 8 / math.sqrt(3)  # t(0.975, 2 degrees)
    assert float(deep["low"]) == pytest.approx(152 - half, abs=1e-3)
    assert float(deep["high"]) == pytest.approx(160 + half, abs=1e-3)
    assert float(deep["bound"]) == 433


def test_one_seed_lies_between_the_two_borders_that_were_tried(runs, capsys):
    main(["leak_distance", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = {(r["arch"], r["conv"]): r for r in rows}
    one = found["bagnet33", "same"]
    assert [float(one[c]) for c in ("low", "distance_mean", "high", "bound")] == [24, 24, 29, 29]
    open_ended = found["mobilenet_v3_small", "same"]
    assert (open_ended["high"], open_ended["bound"]) == ("", "")


def test_people_read_none_where_nothing_is_decodable_and_who_says_so(runs, capsys):
    assert main(["leak_distance", "--format", "md"]) == 0
    said = capsys.readouterr().out
    assert "| bagnet33 | frozen-random | unbounded | none (certified) |  | 0 |" in said
    assert "| bagnet33 | frozen-random | full | none (1) |  | 29 |" in said
    assert "| resnet18 | frozen-random | same | 152.0 ± 8.0 (3) | 132 to 180 | 433 |" in said
    assert "| mobilenet_v3_small | frozen-random | same | 508.0 ± 5.7 (2) | from 457 |  |" in said
    results = runs / "results"
    assert {p.name for p in results.iterdir()} == {f"leak_distance.{s}" for s in ("csv", "md", "tex", "png", "svg")}


def test_the_figure_has_a_panel_an_architecture_with_the_bound_as_a_mark(runs):
    from sweeps.tracking.mirror import Mirror
    from sweeps.tracking.sync import sync

    sync(runs / "runs", Mirror(None), "leak_distance")
    table = leak_distance.table(Mirror(None).read("leak_distance"))
    figure = leak_distance.figure(table)
    assert [axis.get_title() for axis in figure.axes] == ["bagnet33", "mobilenet_v3_small", "resnet18"]
    marks = [line.get_xdata()[0] for line in figure.axes[2].lines if line.get_marker() == "|"]
    assert 433 in marks
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["same", "full", "unbounded"]
