"""python -m sweeps patch_matching: levels, differences paired by seed and point, published values, from runs alone."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from equivariance.experiments.patch_matching.artefact import comparisons, variants
from sweeps import intervals
from sweeps.__main__ import main
from tests.sweeps.test_artefacts_controls import leave

# Of each seed; in the draws of points both types go up and down together, by four percentage points.
LEVELS = {"same": (0.20, 0.24, 0.28), "full": (0.17, 0.21, 0.25)}
TOGETHER = 0.04 * np.tile([-1.0, 1.0], 50)


@pytest.fixture
def runs(store, workdir):
    for data, triplets in (("views", 256), ("phototour", 25_000), ("phototour", 7)):
        for conv, seeds in LEVELS.items():
            for seed, level in enumerate(seeds[: 1 if triplets == 7 else 3]):
                head = "flat" if data == "phototour" else "max"
                config = {"experiment": {"name": "patch_matching", "head": head, "triplets": triplets}, "seed": seed}
                own = {"train": "yosemite"} if data == "phototour" else {}
                config |= {"conv": {"name": conv}, "data": {"name": data, **own}, "arch": {"name": "hardnet"}}
                size = {"descriptor": 128.0, "parameters": 1_334_560.0, "gmacs": 0.039, "n": 100.0}
                drawn = (level + TOGETHER).tolist()
                leave(workdir, config, {"fpr95": level, **size}, redrawn={"fpr95": drawn})
    return workdir


def rows_of(capsys):
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    return {(r["data"], r["conv"], r["experiment.triplets"]): r for r in rows}


def test_the_difference_is_paired_and_the_level_speaks_of_points_too(runs, capsys):
    assert main(["patch_matching", "--format", "csv"]) == 0
    found = rows_of(capsys)
    assert len(found) == 6
    full = found["views", "full", "256"]
    assert float(full["fpr95_mean"]) == pytest.approx(21)
    assert full["over"] == "seeds and pictures"
    # By hand: every seed differs by -3 and every draw of points too, so nothing is left to be unsure of.
    assert [float(full[c]) for c in ("difference", "difference_low", "difference_high")] == pytest.approx([-3, -3, -3])
    half = intervals.half_width(4**2 / 3, 4**2, 0.0, 3, 100)  # both deviate by four points, of seeds there are three
    assert float(full["fpr95_low"]) == pytest.approx(21 - half, abs=1e-3)
    assert float(full["fpr95_high"]) == pytest.approx(21 + half, abs=1e-3)
    assert found["views", "same", "256"]["difference"] == ""


def test_published_values_stand_beside_what_they_are_of(runs, capsys):
    main(["patch_matching", "--format", "csv"])
    found = rows_of(capsys)
    same, full = (found["phototour", conv, "25000"] for conv in ("same", "full"))
    assert (float(same["published"]), same["published_difference"]) == (14.5, "")
    assert float(full["published"]) == pytest.approx(8.24)  # science 7.2
    assert float(full["published_difference"]) == -6.26
    assert found["views", "same", "256"]["published"] == found["phototour", "full", "7"]["published"] == ""


@pytest.mark.parametrize(
    ("conv", "head", "trained", "stands"),
    [
        ("same", "max", "yosemite", True),  # one and the same as flat
        ("same", "global", "yosemite", False),
        ("full", "max", "yosemite", False),  # 128 numbers, not 6272
        ("full", "flat", "liberty", False),
        ("full", "flat", "yosemite", True),
    ],
)
def test_published_values_are_of_the_published_descriptor_and_training_set(conv, head, trained, stands):
    row = {"data": "phototour", "conv": conv, variants.HEAD: head, variants.TRIPLETS: 25_000}
    assert variants.as_published(row, pd.DataFrame({"params.data.train": [trained]})) == stands


def test_one_seed_speaks_of_points_alone(runs, capsys):
    main(["patch_matching", "--format", "csv"])
    one = rows_of(capsys)["phototour", "same", "7"]
    assert one["over"] == "pictures alone"
    assert float(one["fpr95_high"]) - 20 == pytest.approx(4 * 1.98, abs=0.1)  # t(0.975, 99) times their deviation


def test_people_read_it_and_the_figure_is_drawn(runs, capsys):
    assert main(["patch_matching"]) == 0
    said = capsys.readouterr().out
    assert "-3.0 [-3.0, -3.0]" in said
    assert (runs / "results" / "patch_matching.png").stat().st_size > 10_000


def test_heads_that_are_one_under_same_are_compared_with_it_and_global_is_not():
    keys = list(variants.AXES)
    same = {("views", "same", "flat", 256): "the runs"}

    def base(head):
        row = dict(zip(keys, ("views", "full", head, 256), strict=True))
        return variants.same(row, keys, same)

    assert [base(head) for head in ("flat", "max", "whole", "global")] == ["the runs"] * 3 + [None]


def test_comparisons_are_paired_by_seed_and_three_cannot_decide(runs, capsys):
    assert main(["patch_matching"]) == 0
    said = capsys.readouterr().out
    assert comparisons.TITLE in said
    rows = list(csv.DictReader((runs / "results" / "patch_matching_comparisons.csv").open()))
    assert {(r["data"], r["conv"], r["triplets"], r["n"]) for r in rows} == {
        ("views", "full", "256", "3"),
        ("phototour", "full", "25000", "3"),
        ("phototour", "full", "7", "1"),
    }
    assert [float(r["difference"]) for r in rows] == pytest.approx([-3, -3, -3])
    assert {r["verdict"] for r in rows} == {"cannot decide"}
