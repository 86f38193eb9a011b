"""python -m sweeps data_efficiency: curves, planned comparisons and the equivalent-data factor, from runs alone."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equivariance.experiments.data_efficiency import artefact
from equivariance.experiments.data_efficiency.artefact import comparisons, factor
from sweeps.artefacts import Runs, formatted

COUNTS = (5, 10, 20, 40)
# How many times its pictures a variant is worth.
WORTH = {("same", "none"): 1.0, ("same", "margin"): 1.0, ("full", "none"): 2.0, ("full", "crop"): 0.5}


def level(count):
    return 0.3 + 0.1 * np.log(count)


def run(conv, control, count, seed, accuracy, right=None, placement="random", asked=None, **params):
    base = {"data": "digits", "arch": "resnet8", "conv": conv, "experiment.control": control, "seed": seed}
    base |= {"experiment.placement": placement, "data.per_class": count if asked is None else None}
    metrics = {"accuracy": accuracy, "n": 200.0, "gmacs": 0.01, "parameters": 9.0, "map": 8.0, "updates": 200.0}
    metrics |= {"pictures": 10.0 * count, "classes": 10.0}
    row = {f"params.{k}": v for k, v in (base | params).items()} | {f"metrics.{k}": v for k, v in metrics.items()}
    return {"run_id": f"{conv}{control}{count}{seed}", "right": right, "implied": None, **row}


def grid(seeds, worth=WORTH, counts=COUNTS, **more):
    """Runs whose seeds deviate together, and each a little by itself."""
    random = np.random.default_rng(0)
    together = random.normal(0, 0.02, seeds)
    rows = []
    for (conv, control), times in worth.items():
        for count in counts:
            for seed in range(seeds):
                accuracy = level(count * times) + together[seed] + random.normal(0, 0.001)
                rows.append(run(conv, control, count, seed, accuracy, **more))
    return pd.DataFrame(rows)


def test_full_is_compared_with_same_and_with_each_control_at_each_number():
    frame = grid(6)
    rows = comparisons.table(frame)
    assert list(dict.fromkeys(zip(rows["variant"], rows["less"], strict=True))) == [
        ("full", "same"),
        ("full", "same, margin"),
        ("full", "full, crop"),
    ]
    assert set(rows["pictures a class"]) == set(COUNTS)
    first = rows.iloc[0]
    values = frame[frame["params.data.per_class"] == 5].set_index(["params.conv", "params.experiment.control"])
    pair = [values.loc[names, "metrics.accuracy"] for names in (("full", "none"), ("same", "none"))]
    assert first["p"] == pytest.approx(stats.ttest_rel(*pair).pvalue)
    assert first["difference"] == pytest.approx(100 * (pair[0].mean() - pair[1].mean()))
    assert set(rows["verdict"]) == {"higher"}
    assert (rows["holm"] >= rows["p"]).all()
    assert set(comparisons.table(grid(5))["verdict"]) == {"cannot decide"}


def test_two_placements_are_two_families():
    both = pd.concat([grid(6), grid(6, placement="centred")])
    rows = comparisons.table(both)
    alike = [rows[rows["experiment.placement"] == placement]["holm"].tolist() for placement in ("random", "centred")]
    assert alike[0] == alike[1]
    assert len(rows) == 2 * len(comparisons.table(grid(6)))


def test_settings_of_the_boundary_are_compared_with_the_same_settings():
    frames = [grid(6, {("same", "none"): 1.0})]
    for pools, times in (("inside", 2.0), ("padded", 0.5)):
        worth = {("full", "none"): times, ("full", "crop"): times}
        frames.append(grid(6, worth, **{"conv.pools": pools}))
    rows = comparisons.table(pd.concat(frames))
    assert list(dict.fromkeys(zip(rows["variant"], rows["less"], strict=True))) == [
        ("full pools=inside", "same"),
        ("full pools=inside", "full, crop pools=inside"),
        ("full pools=padded", "same"),
        ("full pools=padded", "full, crop pools=padded"),
    ]
    assert set(factor.table(pd.concat(frames))["variant"]) == {
        f"{variant} pools={pools}" for variant in ("full", "full, crop") for pools in ("inside", "padded")
    }


def test_the_factor_takes_curves_as_never_falling():
    def factor_of(*curves):
        rows = [
            run(conv, "none", count, 0, accuracy)
            for conv, curve in zip(("same", "full"), curves, strict=True)
            for count, accuracy in zip(COUNTS, curve, strict=True)
        ]
        return factor.table(pd.DataFrame(rows)).iloc[0]

    falls, never = ((0.4, low, 0.6, 0.8) for low in (0.2, 0.4))
    told = [factor_of(curve, (0.2, 0.4, 0.6, 0.8)) for curve in (falls, never)]
    assert told[0]["factor"] == pytest.approx(told[1]["factor"])
    assert told[0]["lowest"] == pytest.approx(40)


def test_the_factor_is_how_many_times_the_pictures_same_needs():
    found = factor.table(grid(6)).set_index("variant")
    assert found.loc["full", "factor"] == pytest.approx(2, rel=0.05)
    assert found.loc["full, crop", "factor"] == pytest.approx(0.5, rel=0.05)
    assert (found["low"] < found["factor"]).all()
    assert found.loc["same, margin", "factor"] == pytest.approx(1, rel=0.05)
    assert found.loc["full", "low"] > 1.5
    # By hand: full reaches from level(10) on, same up to level(40).
    assert found.loc["full", "lowest"] == pytest.approx(100 * level(10), abs=2)
    assert found.loc["full", "highest"] == pytest.approx(100 * level(40), abs=2)


def test_curves_without_an_accuracy_in_common_bound_the_factor():
    found = factor.table(grid(2, {("same", "none"): 1.0, ("full", "none"): 100.0, ("unbounded", "none"): 0.01}))
    assert found.set_index("variant")["bound"].to_dict() == {"full": "≥ ", "unbounded": "≤ "}
    assert found.set_index("variant")["factor"].to_dict() == pytest.approx({"full": 8, "unbounded": 1 / 8})


@pytest.mark.parametrize(("seeds", "true"), [(2, 1.0), (6, 2.0)])
def test_the_factors_interval_holds_the_truth_as_often_as_it_says(seeds, true, monkeypatch):
    """Pictures of unlike difficulty, subsets that all variants of a seed share, and each run's own luck."""
    monkeypatch.setattr(factor, "DRAWS", 100)
    random, inside, rounds = np.random.default_rng(1), 0, 30
    for _ in range(rounds):
        hard, shared, curves = random.normal(0, 1, 300), random.normal(0, 0.02, (seeds, 4)), []
        for times in (true, 1.0):
            mean = np.array([level(count * times) for count in COUNTS]) + shared + random.normal(0, 0.02, (seeds, 4))
            threshold = stats.norm.ppf(mean)[..., None] * np.sqrt(2)
            curves.append((threshold + hard + random.normal(0, 1, (seeds, 4, 300)) > 0).astype(float))
        numbers = [list(COUNTS)] * 2
        told = float(np.log(factor.factors([c.mean((0, 2))[None] for c in curves], numbers)[0]))
        inside += abs(told - np.log(true)) < factor.deviation(curves, numbers)
    assert inside >= 25  # of 30; were they 80 % intervals, as often as not it would be fewer


def test_runs_of_one_seed_are_spoken_of_by_their_pictures():
    random = np.random.default_rng(0)
    rows = []
    for conv in ("same", "full"):
        for count in COUNTS:
            told = random.random(200) < level(count)
            right = {"accuracy": ["".join(map(str, told.astype(int)))]}
            rows.append(run(conv, "none", count, 0, told.mean(), right=right))
    (row,) = factor.table(pd.DataFrame(rows)).to_dict("records")
    assert row["low"] < 1 < row["high"]
    assert row["low"] < row["factor"] < row["high"]


def test_published_values_stand_beside_what_they_are_of():
    imagenet = {"data": "labelled_imagenet", "arch": "resnet50", "placement": "centred"}
    whole = pd.DataFrame([run("same", "none", 1271, 0, 0.7, asked="all", **imagenet)])
    frame = pd.concat([grid(2, counts=(50, 100), **imagenet), whole])
    table = artefact.table(frame)
    assert set(table["data.per_class"]) == {50, 100, 1271}
    theirs = table.set_index(["conv", "experiment.control", "data.per_class"])["published"].dropna()
    assert theirs.to_dict() == pytest.approx(
        {("same", "none", 50): 26.39, ("same", "none", 100): 43.99, ("same", "none", 1271): 75.75}
        | {("full", "none", 50): 31.15, ("full", "none", 100): 47.35}
    )
    assert artefact.table(grid(2, counts=(50,)))["published"].notna().sum() == 0  # other data
    for other in ({"data.classes": ["a", "b"]}, {"data.side": 64}, {"experiment.canvas": 256}):
        assert artefact.table(grid(2, counts=(50,), **imagenet, **other))["published"].notna().sum() == 0
    alike = grid(2, counts=(50,), **imagenet, **{"data.classes": "null", "data.side": 224, "experiment.canvas": 224})
    assert artefact.table(alike)["published"].notna().sum() == 2
    some = pd.DataFrame([run("same", "none", 1000, 0, 0.7, **imagenet)])  # asked for, not all that there are
    assert artefact.table(some)["published"].notna().sum() == 0
    said = formatted(artefact, table, "text")
    assert "published" in said
    figure = artefact.figure(table, Runs(frame, lambda run, name: None))
    assert "published, full" in {text.get_text() for text in figure.legends[0].get_texts()}


def test_all_of_it_is_shown_and_drawn_and_a_part_of_the_grid_too(tmp_path):
    for frame in (pd.concat([grid(6), grid(6, placement="centred")]), grid(1), grid(2, {("full", "none"): 1.0})):
        runs = Runs(frame, lambda run, name: None)
        artefact.figure(artefact.table(frame), runs).savefig(tmp_path / "figure.png")
        for part in (artefact, *artefact.MORE.values()):
            table = part.table(frame)
            for form in ("text", "csv", "md", "latex") if len(table) else ():
                assert formatted(part, table, form)


def test_patch_matching_is_drawn_beside_it_where_there_are_runs_of_it():
    frame = grid(2)
    patches = []
    for conv, level_ in (("same", 0.2), ("full", 0.1)):
        for triplets in (256, 512):
            params = {"data": "views", "conv": conv, "experiment.head": "max", "experiment.triplets": triplets}
            row = {f"params.{k}": v for k, v in (params | {"seed": 0}).items()}
            metrics = {"fpr95": level_, "descriptor": 128.0, "parameters": 9.0, "gmacs": 0.1, "n": 50.0}
            patches.append(row | {f"metrics.{k}": v for k, v in metrics.items()})
    store = {"patch_matching": pd.DataFrame(patches)}
    both = artefact.figure(artefact.table(frame), Runs(frame, lambda run, name: None, store.__getitem__))
    alone = artefact.figure(artefact.table(frame), Runs(frame, lambda run, name: None))
    assert len(both.axes) == len(alone.axes) + 2
    (line,) = (bar[0] for bar in both.axes[1].containers if bar.get_label().startswith("full"))
    assert line.get_ydata() == pytest.approx([10, 10])
