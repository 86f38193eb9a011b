"""Published values: one file an artefact, each value with source and error; ours agrees or differs by a rule."""

import math
from pathlib import Path

import pandas as pd
import pytest

from equivariance.experiments.red_green import artefact as red_green
from sweeps import published
from sweeps.published import Reference, Value

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "equivariance" / "experiments").rglob("published.csv"))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (70, 80, "agrees"),
        (60, 79.7, "agrees"),  # touches 80 - 0.3
        (60, 79.6, "differs"),
        (80.3, 99, "agrees"),
        (80.4, 99, "differs"),
        (80, 80, "agrees"),  # certified: no interval but a value
        (math.nan, math.nan, ""),
        (-math.inf, math.nan, ""),
    ],
)
def test_ours_agrees_where_interval_and_error_overlap(low, high, said):
    assert Value(80, 0.3, "figure").verdict(low, high) == said


def test_of_several_published_runs_the_mean_is_uncertain_too():
    found = red_green.PUBLISHED.find("similar", {"conv": "circular"})
    assert found.error == pytest.approx(0.05 + 2.2622 * 1.0 / 3, abs=1e-4)  # of a population deviation, 9 = n - 1
    assert red_green.PUBLISHED.find("similar", {"conv": "reflect"}) is None


def test_columns_stand_beside_ours_and_are_counted(tmp_path):
    (tmp_path / "published.csv").write_text("# of\nborder,quantity,value,error,source\n0,a,90,1,t 1\n16,a,50,0,t 1\n")
    ours = pd.DataFrame({"border": [0, 16, 32], "low": [80, 60, 0], "high": [89, 70, 9]})
    table = Reference(tmp_path / "published.csv").beside(ours, "a")
    assert [published.said(row) for row in table.to_dict("records")] == ["90 ± 1, agrees", "50, differs", ""]
    assert published.tally(table) == f"published values: 1 agree, 1 differ ({published.RULE})"
    assert published.tally(Reference(tmp_path / "published.csv").beside(ours, "a", ends=None)) == ""
    assert published.tally(ours) == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.as_posix().rpartition("experiments/")[2])
def test_each_value_has_an_error_and_a_source_and_is_there_once(path):
    rows = Reference(path).rows
    keys = [
        tuple(v for k, v in row.items() if k not in ("value", "error", "deviation", "runs", "source")) for row in rows
    ]
    assert len(set(keys)) == len(rows) > 0
    for row in rows:
        assert math.isfinite(float(row["value"]))
        assert float(row["error"]) >= 0
        assert row["source"]


def test_no_published_value_stands_in_the_code():
    assert len(FILES) == 8
    for path in (ROOT / "equivariance" / "experiments").rglob("*.py"):
        assert "PUBLISHED = {" not in path.read_text(), path
