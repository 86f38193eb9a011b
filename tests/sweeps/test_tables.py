"""Runs to tables: means, deviations and intervals by hand; settings that differ; published values beside ours."""

import math

import pandas as pd
import pytest

from equivariance.experiments.quadrant import artefact as quadrant
from sweeps import intervals, tables
from sweeps.tables import cells, pivot

AXES = ["arch", "init", "conv", "border"]


def run(accuracy, seed=0, border=0, n=64, **params):
    """A row as a store is read."""
    base = {
        "arch": "resnet18",
        "init": "frozen-random",
        "conv": "same",
        "border": border,
        "seed": seed,
        "device": "cpu",
    }
    row = {f"params.{key}": value for key, value in {**base, **params}.items()}
    pooling = "released" if params.get("protocol") == "released" else "max"
    implied = {"protocol": "paper", "experiment.pooling": pooling}
    implied = {key: value for key, value in implied.items() if key in params}
    return {"run_id": "x", "metrics.accuracy": accuracy, "metrics.n": float(n), **row, "implied": implied}


def frame(*runs):
    return pd.DataFrame(runs)


class TestCells:
    def test_mean_and_sample_deviation_over_seeds(self):
        table = cells(frame(run(0.5, 0), run(0.6, 1), run(0.7, 2), run(1.0, 0, border=16)), AXES, "accuracy")
        assert list(table["border"]) == [0, 16]
        assert list(table["n"]) == [3, 1]
        assert table["accuracy_mean"].tolist() == pytest.approx([60, 100])
        assert table["accuracy_std"][0] == pytest.approx(10)  # sqrt((100 + 0 + 100) / 2)
        assert math.isnan(table["accuracy_std"][1])

    def test_a_seed_counts_once(self):
        table = cells(frame(run(0.5, 0), run(0.9, 0), run(0.7, 1)), AXES, "accuracy")
        assert list(table["n"]) == [2]
        assert table["accuracy_mean"][0] == pytest.approx(60)

    def test_a_setting_in_which_runs_differ_is_a_column_and_splits_the_cells(self):
        runs = [run(0.5, optim="sgd"), run(0.9, **{"optim": "probe", "optim.l2": 0.001})]
        table = cells(frame(*runs), AXES, "accuracy")
        assert list(table.columns[:5]) == [*AXES, "optim"]
        assert table.set_index("optim")["accuracy_mean"].to_dict() == pytest.approx({"sgd": 50, "probe": 90})

    def test_a_setting_that_one_of_two_runs_has_splits_them_if_it_varies(self):
        runs = [run(0.5, **{"optim.l2": 0.1}), run(0.7, **{"optim.l2": 0.2}), run(0.9)]
        assert len(cells(frame(*runs), AXES, "accuracy")) == 3

    def test_where_and_when_a_run_was_made_is_no_setting(self):
        table = cells(frame(run(0.5, 0, device="cpu"), run(0.7, 1, device="cuda")), AXES, "accuracy")
        assert "device" not in table
        assert list(table["n"]) == [2]

    def test_a_common_setting_is_no_column(self):
        assert "protocol" not in cells(
            frame(run(0.5, protocol="paper"), run(0.5, 1, protocol="paper")), AXES, "accuracy"
        )


class TestSettings:
    def test_runs_with_and_without_a_checkpoint_are_two_rows(self):
        runs = [run(0.5, 0), run(0.6, 1), run(0.9, 0, **{"fingerprints.init.checkpoint": "abc"})]
        assert cells(frame(*runs), AXES, "accuracy")["n"].tolist() == [2, 1]

    def test_the_files_that_a_data_set_is_always_read_from_are_no_column(self):
        files = "fingerprints.data.root"
        runs = [run(0.5, data="one", **{files: "abc"}), run(0.6, data="other", **{files: "def"}), run(0.7, data="none")]
        assert files not in cells(frame(*runs), [*AXES, "data"], "accuracy")
        anew = run(0.8, data="one", **{files: "ghi"})
        assert len(cells(frame(*runs, anew), [*AXES, "data"], "accuracy")) == 4

    def test_threads_and_caches_are_no_setting(self):
        runs = [run(0.5, 0, **{"data.workers": 0}), run(0.6, 1, **{"data.workers": 8, "data.cache": "x"})]
        assert cells(frame(*runs), AXES, "accuracy")["n"].tolist() == [2]

    def test_editions_are_not_averaged(self):
        assert len(cells(frame(run(0.5, 0), run(0.6, 1, edition=2)), AXES, "accuracy")) == 2

    def test_what_all_runs_do_otherwise_than_the_protocol_says_is_a_column(self):
        runs = [run(0.9, s, protocol="paper", **{"experiment.pooling": "avg"}) for s in (0, 1)]
        assert quadrant.table(frame(*runs))["experiment.pooling"].tolist() == ["avg"]
        told = quadrant.table(frame(run(0.9, protocol="released", **{"experiment.pooling": "released"})))
        assert told["protocol"].tolist() == ["released"]
        assert "experiment.pooling" not in told
        plain = quadrant.table(frame(run(0.9, protocol="paper", **{"experiment.pooling": "max"})))
        assert not {"protocol", "experiment.pooling"} & set(plain.columns)

    def test_beside_a_deviation_stands_what_the_protocol_implies(self):
        runs = [run(0.9, protocol="paper", **{"experiment.pooling": pooling}) for pooling in ("avg", "max")]
        runs.append(run(0.9, protocol="released", **{"experiment.pooling": "released"}))
        found = quadrant.table(frame(*runs))
        assert set(zip(found["protocol"], found["experiment.pooling"], strict=True)) == {
            ("paper", "avg"),
            ("paper", "max"),
            ("released", "released"),
        }


class TestIntervals:
    def record(self, right):
        return {"accuracy": ["1" * 32, "1" * right + "0" * (32 - right)]}

    def test_what_runs_record_of_their_pictures_decides_the_interval(self):
        values = [run(0.5, s) for s in range(5)]
        blind = cells(frame(*values), AXES, "accuracy").iloc[0]
        known = cells(frame(*(v | {"right": self.record(0)} for v in values)), AXES, "accuracy").iloc[0]
        assert known["high"] - known["low"] < 10 < blind["high"] - blind["low"]

    def test_the_table_says_what_the_interval_speaks_of(self):
        runs = [run(0.75, s, b) | {"right": self.record(16)} for s, b in ((0, 0), (1, 0), (0, 16))]
        table = quadrant.table(frame(*runs))
        assert table["over"].tolist() == ["seeds and pictures", "pictures alone"]
        assert quadrant.shown(table)[16].iloc[0].endswith("(1, pictures alone)")

    def test_a_certified_value_has_none(self):
        certified = cells(frame(*(run(0.5, s) | {"tags.certified": "yes"} for s in (0, 1))), AXES, "accuracy").iloc[0]
        assert (certified["low"], certified["high"], certified["over"]) == (50, 50, "")


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
            assert quadrant.PUBLISHED.find("accuracy", dict(zip(AXES, key, strict=True))).value == value
        assert len(quadrant.PUBLISHED.rows) == 3 * 3 * 7

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
        assert list(ours) == ["60.0 ± 14.1 [16, 100] (2)", "75.0 [58, 89] (1, pictures alone)"]
        assert list(shown.loc[("resnet18", "frozen-random", "same, published")]) == [
            "100 ± 0.7, agrees",
            "100 ± 0.7, differs",
        ]

    def test_a_figure_has_a_panel_an_architecture(self):
        runs = [
            run(0.5, arch=a, conv=c, border=b)
            for a in ("bagnet33", "resnet18")
            for c in ("same", "full")
            for b in (0, 16)
        ]
        figure = quadrant.figure(quadrant.table(frame(*runs)), None)
        assert [axis.get_title() for axis in figure.axes] == ["bagnet33, frozen-random", "resnet18, frozen-random"]
        low, high = figure.axes[0].get_ylim()
        assert low < 50 < 100 < high
        drawn = [tuple(line.get_ydata()) for line in figure.axes[1].lines]
        assert (50.0, 50.0) in drawn
        assert (100.0, 100.0) in drawn  # the published circles


class TestFigure:
    def drawn(self, archs=("resnet18",), inits=("frozen-random",)):
        """What `make demo` shows, and the same of several networks."""
        cells = [
            (a, i, c, b) for a in archs for i in inits for c in ("same", "full", "unbounded") for b in (0, 64, 512)
        ]
        runs = []
        for (arch, init, conv, border), seed in ((cell, seed) for cell in cells for seed in (0, 1)):
            proved = conv == "unbounded" or border == 512
            row = run(0.5 if proved else 0.75, seed, border, arch=arch, init=init, conv=conv)
            row["right"] = None if proved else {"accuracy": ["1" * 16, "1" * 8 + "0" * 8]}
            runs.append(row | {"tags.certified": "yes" if proved else None})
        return quadrant.figure(quadrant.table(frame(*runs)), None)

    def test_certified_borders_are_shaded(self):
        axis = self.drawn().axes[0]
        assert [(p.get_x(), p.get_x() + p.get_width()) for p in axis.patches] == [(1.5, 2.5)]
        assert [t.get_text() for t in axis.get_xticklabels()] == ["0", "64", "512"]

    def test_the_legend_names_every_type_and_what_the_interval_speaks_of(self):
        (legend,) = self.drawn().legends
        assert [t.get_text() for t in legend.get_texts()] == [
            *("same", "full", "unbounded (all certified)", "published"),
            *("95 % interval over seeds and pictures", "certified: proved to be chance"),
        ]

    @pytest.mark.parametrize("panels", [1, 2, 3])
    @pytest.mark.parametrize("inits", [1, 3])
    def test_the_legend_is_seen_whole(self, panels, inits):
        names = ("scratch", "frozen-random", "frozen-pretrained")
        figure = self.drawn(("bagnet33", "resnet18", "densenet121")[:panels], names[:inits])
        figure.canvas.draw()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert (box.x0 >= 0, box.x1 <= figure.bbox.x1) == (True, True)


def test_a_table_without_published_values_has_no_rows_for_them():
    table = cells(frame(run(0.5)), AXES, "accuracy")
    assert len(pivot(table, ["arch", "init", "conv"], "border", "accuracy")) == 1


def test_unknown_params_are_no_columns_when_empty():
    assert tables.cells(frame(run(0.5), run(0.5, 1, **{"init.checkpoint": "w.pth"})), AXES, "accuracy")[
        "n"
    ].tolist() == [2]


def test_a_summary_speaks_of_pictures_where_all_runs_record_them_and_of_seeds_alone_otherwise():
    right = [["1" * 60 + "0" * 40], ["1" * 70 + "0" * 30]]
    runs = [{"params.seed": str(n), "metrics.consistency": v, "metrics.n": 100.0} for n, v in enumerate((0.6, 0.7))]
    for run in runs:
        run["metrics.mean"] = run["metrics.consistency"]
    frame = pd.DataFrame(runs).assign(right=[{"consistency": r} for r in right])
    (row,) = tables.summaries(frame.assign(**{"params.of": ""}), ["of"], {"consistency": 100.0, "mean": 1.0}).to_dict(
        "records"
    )
    low, high, _ = intervals.of_runs([0.6, 0.7], right, 0)
    assert (row["consistency_low"], row["consistency_high"]) == pytest.approx((100 * low, 100 * high))
    assert (row["mean_low"], row["mean_high"]) == pytest.approx(intervals.of_values([0.6, 0.7]))
    (one,) = tables.summaries(frame[:1].assign(**{"params.of": ""}), ["of"], {"consistency": 1.0, "mean": 1.0}).to_dict(
        "records"
    )
    assert tables.summary(one, "consistency", ".1f").endswith("] (1, pictures alone)")
    assert tables.summary(one, "mean", ".1f") == "0.6 (1)"


def test_what_theory_proves_has_no_interval_and_says_so():
    runs = [{"params.of": "a", "params.seed": n, "metrics.score": 0.5, "tags.certified": "yes"} for n in range(3)]
    runs += [{"params.of": "b", "params.seed": n, "metrics.score": n / 4} for n in range(3)]
    found = tables.summaries(pd.DataFrame(runs), ["of"], {"score": 100.0})
    assert found["certified"].tolist() == [True, False]
    proven, other = found.to_dict("records")
    assert (proven["score_low"], proven["score_high"]) == (50, 50)
    assert tables.summary(proven, "score", ".1f") == "50 (certified)"
    assert tables.summary(other, "score", ".1f").startswith("25.0 ± 25.0 [")
    assert "certified" not in tables.summaries(pd.DataFrame(runs[3:]), ["of"], {"score": 100.0})
