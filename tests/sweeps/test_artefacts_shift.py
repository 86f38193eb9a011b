"""python -m sweeps shift: paired comparisons and the two leaks, from runs as a store is read."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equivariance.experiments.shift import artefact
from equivariance.experiments.shift.artefact import comparisons, diagonal, leaks
from sweeps.artefacts import Runs, formatted

CELLS = {
    ("same", "strided"): 0.80,
    ("same", "polyphase"): 0.85,
    ("unbounded", "strided"): 0.90,
    ("unbounded", "polyphase"): 1.0,
}


def run(conv, downsample, seed, consistency, accuracy=0.9, right=None, **params):
    """A row as a store is read."""
    base = {"arch": "resnet8", "conv": conv, "downsample": downsample, "seed": seed, "downsample.size": 1}
    metrics = {"accuracy": accuracy, "accuracy_moved": accuracy, "consistency": consistency, "n": 8.0}
    metrics |= {"one_pixel": consistency, "one_pixel_worst": consistency, "circular": consistency + 0.02}
    metrics |= {f"diagonal_{t}": accuracy + 0.01 * t for t in range(12)} | {"diagonal": accuracy + 0.055}
    row = {f"params.{k}": v for k, v in (base | params).items()} | {f"metrics.{k}": v for k, v in metrics.items()}
    return {"run_id": f"{conv}{downsample}{seed}", "right": right, "implied": None, **row}


def noise(conv, downsample, seed):
    """A seed's own deviation, which all of its variants share, and a little of each run's."""
    own = np.random.default_rng([seed, len(conv), len(downsample)]).normal()
    return 0.02 * np.random.default_rng(seed).normal() + 0.003 * own


@pytest.fixture
def grid():
    def of(seeds):
        return pd.DataFrame([run(*c, s, mean - abs(noise(*c, s))) for c, mean in CELLS.items() for s in range(seeds)])

    return of


def test_each_variant_is_compared_with_the_published_one_and_the_exact_one_with_the_best_other(grid):
    frame = grid(6)
    rows = comparisons.table(frame).query("metric == 'consistency'")
    assert list(zip(rows["variant"], rows["less"], strict=True)) == [
        ("same + polyphase", "same + strided"),
        ("unbounded + strided", "same + strided"),
        ("unbounded + polyphase", "same + strided"),
        ("unbounded + polyphase", "unbounded + strided"),
    ]
    first = rows.iloc[0]
    values = {
        d: frame[(frame["params.conv"] == "same") & (frame["params.downsample"] == d)] for d in ("polyphase", "strided")
    }
    expected = stats.ttest_rel(*(values[d]["metrics.consistency"] for d in ("polyphase", "strided")))
    assert first["p"] == pytest.approx(expected.pvalue)
    ends = expected.confidence_interval()
    assert (first["low"], first["high"]) == (pytest.approx(100 * ends.low), pytest.approx(100 * ends.high))
    assert (rows["verdict"] == "higher").all()
    assert (comparisons.table(frame).query("metric == 'accuracy'")["verdict"] == "not told apart").all()


def test_pairs_are_seeds_whatever_the_order_of_the_runs(grid):
    frame = grid(6)
    again = comparisons.table(frame.sample(frac=1, random_state=1))
    columns = ["variant", "less", "metric", "difference", "p"]
    one, other = (t[columns].sort_values(columns[:3], ignore_index=True) for t in (comparisons.table(frame), again))
    pd.testing.assert_frame_equal(one, other)


def test_five_seeds_cannot_decide_and_the_table_says_so(grid):
    table = comparisons.table(grid(5))
    assert set(table["verdict"]) == {"cannot decide"}
    assert "cannot decide" in formatted(comparisons, table, "md")
    assert set(leaks.table(grid(5))["verdict"]) == {"cannot decide"}


def test_one_run_a_variant_is_compared_by_its_test_pictures():
    """Ten pictures that the one has right and the other has not, two the other way round: McNemar's exact p."""
    first, second = "1" * 10 + "0" * 2 + "1" * 8, "0" * 10 + "1" * 2 + "1" * 8
    runs = [run("same", "strided", 0, 0.9, right={"accuracy": [second]})]
    runs.append(run("unbounded", "strided", 0, 0.9, right={"accuracy": [first]}))
    row = comparisons.table(pd.DataFrame(runs)).query("metric == 'accuracy'").iloc[0]
    assert (row["n"], row["over"], row["difference"]) == (20, "pictures", pytest.approx(40))
    assert row["p"] == pytest.approx(stats.binomtest(10, 12).pvalue)
    assert row["verdict"] == "higher"


def test_filters_of_two_sizes_are_two_variants_of_one_family(grid):
    more = [run("same", "blur", s, 0.83, **{"downsample.size": size}) for s in range(6) for size in (3, 5)]
    names = set(comparisons.table(pd.concat([grid(6), pd.DataFrame(more)]))["variant"])
    assert {"same + blur size=3", "same + blur size=5"} <= names


def test_the_two_leaks_and_their_interaction_by_hand(grid):
    frame = grid(6)
    found = leaks.table(frame).set_index(["effect", "remedies"])
    means = frame.groupby(["params.conv", "params.downsample"])["metrics.consistency"].mean() * 100
    neither, phase = means["same", "strided"], means["same", "polyphase"]
    boundary, both = means["unbounded", "strided"], means["unbounded", "polyphase"]
    exact = found.xs("unbounded × polyphase", level="remedies")["mean"]
    assert exact["boundary"] == pytest.approx((both - phase + boundary - neither) / 2)
    assert exact["phase"] == pytest.approx((both - boundary + phase - neither) / 2)
    assert exact["interaction"] == pytest.approx(both - boundary - phase + neither)
    gap = found.loc["circular less moved", "same + strided"]
    assert gap["mean"] == pytest.approx(2)


def test_all_of_it_is_shown_and_drawn_and_a_part_of_the_grid_too(grid, tmp_path):
    for frame in (grid(6), grid(1), grid(6).query("`params.conv` == 'same'")):
        for part in artefact.MORE.values():
            table = part.table(frame)
            for form in ("text", "csv", "md", "latex") if len(table) else ():
                assert formatted(part, table, form)
    runs = Runs(grid(6), lambda run, name: None)
    published = runs.frame.assign(**{"params.arch": "resnet18"})
    ends = artefact.table(published).filter(regex="_(low|high)$")
    assert ((ends >= 0) & (ends <= 100)).all().all()
    artefact.figure(artefact.table(published), runs).savefig(tmp_path / "figure.png")
    for part in (leaks, diagonal):
        part.figure(part.table(runs.frame), runs).savefig(tmp_path / "figure.png")
    assert leaks.figure(None, Runs(grid(6).query("`params.conv` == 'same'"), lambda run, name: None)) is None


def test_runs_of_one_variant_alone_have_nothing_to_be_compared_with():
    alone = pd.DataFrame([run("same", "strided", s, 0.9) for s in range(6)])
    assert not len(comparisons.table(alone))


def test_the_diagonal_goes_by_place_and_not_by_name_beside_the_published_mean(grid):
    frame = grid(6).assign(**{"params.arch": "resnet18"})
    earlier = run("full", "strided", 0, 0.9, arch="resnet18")
    earlier = {key: value for key, value in earlier.items() if "diagonal" not in key}  # has not walked it
    rows = diagonal.table(pd.concat([frame, pd.DataFrame([earlier])])).set_index("variant")
    assert "full + strided" not in rows.index
    assert rows.loc["same + strided", "diagonal_mean"] == pytest.approx(95.5)
    assert rows.loc["same + strided", "swing"] == pytest.approx(11)
    assert rows.loc["same + strided", "published"] == 79.43
    (line, *_) = diagonal.figure(rows, Runs(frame, lambda run, name: None)).axes[0].get_lines()
    assert line.get_ydata() == pytest.approx([90 + t for t in range(12)])
