"""Runs to tables: means, deviations and intervals by hand; settings that differ; published values beside ours."""

import math
from pathlib import Path

import pandas as pd
import pytest

from sweeps import quadrant, tables
from sweeps.tables import cells, interval, pivot

AXES = ["arch", "init", "conv", "border"]


def run(accuracy, seed=0, border=0, n=64, **params):
    """A row as mlflow.search_runs gives it."""
    base = {
        "arch": "resnet18",
        "init": "frozen-random",
        "conv": "same",
        "border": border,
        "seed": seed,
        "device": "cpu",
    }
    row = {f"params.{key}": str(value) for key, value in {**base, **params}.items()}
    return {"run_id": "x", "metrics.accuracy": accuracy, "metrics.n": float(n), **row}


def frame(*runs):
    return pd.DataFrame(runs)


class TestCells:
    def test_mean_and_sample_deviation_over_seeds(self):
        table = cells(frame(run(0.5, 0), run(0.6, 1), run(0.7, 2), run(1.0, 0, border=16)), AXES)
        assert list(table["border"]) == ["0", "16"]
        assert list(table["n"]) == [3, 1]
        assert table["accuracy_mean"].tolist() == pytest.approx([60, 100])
        assert table["accuracy_std"][0] == pytest.approx(10)  # sqrt((100 + 0 + 100) / 2)
        assert math.isnan(table["accuracy_std"][1])

    def test_a_seed_counts_once(self):
        table = cells(frame(run(0.5, 0), run(0.9, 0), run(0.7, 1)), AXES)
        assert list(table["n"]) == [2]
        assert table["accuracy_mean"][0] == pytest.approx(60)

    def test_a_setting_in_which_runs_differ_is_a_column_and_splits_the_cells(self):
        runs = [run(0.5, optim="sgd"), run(0.9, **{"optim": "probe", "optim.l2": "0.001"})]
        table = cells(frame(*runs), AXES)
        assert list(table.columns[:5]) == [*AXES, "optim"]
        assert table.set_index("optim")["accuracy_mean"].to_dict() == pytest.approx({"sgd": 50, "probe": 90})

    def test_a_setting_that_one_of_two_runs_has_splits_them_if_it_varies(self):
        runs = [run(0.5, **{"optim.l2": "0.1"}), run(0.7, **{"optim.l2": "0.2"}), run(0.9)]
        assert len(cells(frame(*runs), AXES)) == 3

    def test_where_and_when_a_run_was_made_is_no_setting(self):
        table = cells(frame(run(0.5, 0, device="cpu"), run(0.7, 1, device="cuda")), AXES)
        assert "device" not in table
        assert list(table["n"]) == [2]

    def test_a_common_setting_is_no_column(self):
        assert "protocol" not in cells(frame(run(0.5, protocol="paper"), run(0.5, 1, protocol="paper")), AXES)


class TestSettings:
    def test_runs_with_and_without_a_checkpoint_are_two_rows(self):
        runs = [run(0.5, 0), run(0.6, 1), run(0.9, 0, **{"fingerprints.init.checkpoint": "abc"})]
        assert cells(frame(*runs), AXES)["n"].tolist() == [2, 1]

    def test_editions_are_not_averaged(self):
        assert len(cells(frame(run(0.5, 0), run(0.6, 1, edition=2)), AXES)) == 2

    def test_what_all_runs_do_otherwise_than_the_protocol_says_is_a_column(self):
        runs = [run(0.9, s, protocol="paper", **{"experiment.pooling": "avg"}) for s in (0, 1)]
        assert quadrant.table(frame(*runs))["experiment.pooling"].tolist() == ["avg"]
        told = quadrant.table(frame(run(0.9, protocol="released", **{"experiment.pooling": "released"})))
        assert told["protocol"].tolist() == ["released"]
        assert "experiment.pooling" not in told
        plain = quadrant.table(frame(run(0.9, protocol="paper", **{"experiment.pooling": "max"})))
        assert not {"protocol", "experiment.pooling"} & set(plain.columns)


class TestInterval:
    def test_students_over_seeds(self):
        """t(0.975, 2 degrees) = 4.302653; standard error 1 / sqrt(3)."""
        low, high = interval([90, 91, 92], 100_000)
        assert (low, high) == pytest.approx((91 - 4.302653 / math.sqrt(3), 91 + 4.302653 / math.sqrt(3)), abs=1e-5)

    def test_it_stays_within_0_and_100(self):
        assert interval([50, 60], 64) == pytest.approx((0, 100))  # half width 12.7 x 5

    def test_seeds_that_agree_prove_no_more_than_one_of_them(self):
        assert interval([100, 100], 64) == interval([100], 64)
        assert interval([50, 50, 50], 64) == interval([50], 64)

    @pytest.mark.parametrize(("right", "n"), [(48, 64), (32, 64), (64, 64), (0, 10)])
    def test_wilsons_over_the_images_of_one_seed(self, right, n):
        z, p = 1.959963985, right / n
        centre, root = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        expected = [100 * (centre + sign * root) / (1 + z * z / n) for sign in (-1, 1)]
        assert interval([100 * p], n) == pytest.approx(tuple(expected), abs=1e-4)


class TestQuadrant:
    def test_published_values_are_those_of_the_figure(self):
        """Science 4.7, a sample of each panel and line."""
        for key, value in {
            ("bagnet33", "frozen-random", "same", 16): 79.5,
            ("bagnet33", "frozen-pretrained", "same", 0): 98.7,
            ("bagnet33", "scratch", "same", 32): 50,
            ("resnet18", "frozen-random", "same", 64): 80.5,
            ("resnet18", "frozen-pretrained", "same", 128): 94.0,
            ("resnet18", "scratch", "same", 512): 50,
            ("densenet121", "frozen-random", "same", 128): 95.6,
            ("densenet121", "frozen-pretrained", "same", 256): 87.5,
            ("densenet121", "scratch", "same", 256): 100,
        }.items():
            assert quadrant.PUBLISHED[key] == value
        assert len(quadrant.PUBLISHED) == 3 * 3 * 7

    def test_the_published_value_stands_beside_ours_where_there_is_one(self):
        table = quadrant.table(frame(run(0.9, border=64), run(0.5, border=64, conv="full"), run(0.9, border=24)))
        found = table.set_index(["conv", "border"])["published"]
        assert found["same", 64] == 80.5
        assert math.isnan(found["full", 64])
        assert math.isnan(found["same", 24])

    def test_borders_are_sorted_as_numbers(self):
        table = quadrant.table(frame(*[run(0.5, border=b) for b in (128, 16, 512, 0, 32)]))
        assert list(table["border"]) == [0, 16, 32, 128, 512]
        assert list(quadrant.shown(table).columns) == [0, 16, 32, 128, 512]

    def test_people_see_mean_deviation_and_seeds(self):
        shown = quadrant.shown(quadrant.table(frame(run(0.5, 0), run(0.7, 1), run(0.75, border=16))))
        ours = shown.loc[("resnet18", "frozen-random", "same")]
        assert list(ours) == ["60.0 ± 14.1 (2)", "75.0 (1)"]
        assert list(shown.loc[("resnet18", "frozen-random", "same, published")]) == ["100", "100"]

    def test_a_figure_has_a_panel_an_architecture(self):
        runs = [
            run(0.5, arch=a, conv=c, border=b)
            for a in ("bagnet33", "resnet18")
            for c in ("same", "full")
            for b in (0, 16)
        ]
        figure = quadrant.figure(quadrant.table(frame(*runs)), Path("runs"))
        assert [axis.get_title() for axis in figure.axes] == ["bagnet33", "resnet18"]
        low, high = figure.axes[0].get_ylim()
        assert low < 50 < 100 < high
        drawn = [tuple(line.get_ydata()) for line in figure.axes[1].lines]
        assert (50.0, 50.0) in drawn
        assert (100.0, 100.0) in drawn  # the published circles


def test_a_table_without_published_values_has_no_rows_for_them():
    table = cells(frame(run(0.5)), AXES)
    assert len(pivot(table, ["arch", "init", "conv"], "border")) == 1


def test_unknown_params_are_no_columns_when_empty():
    assert tables.cells(frame(run(0.5), run(0.5, 1, **{"init.checkpoint": "w.pth"})), AXES)["n"].tolist() == [2]
