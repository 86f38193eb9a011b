"""python -m sweeps impulse | rook | red_green: tables, figures and the film, from runs as they leave them."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from equivariance.experiments.rook import film
from sweeps.__main__ import main
from sweeps.identity import identity
from sweeps.records import Record

SECTIONS = {"init": {"name": "scratch", "checkpoint": None}, "border": 0, "device": "cpu", "protocol": "paper"}


def leave(workdir, config, metrics, files=None, **values):
    """A finished run."""
    config = SECTIONS | config
    record = Record(workdir / "runs" / config["experiment"]["name"] / identity(config))
    record.start("seed: 0\n")
    for name, content in (files or {}).items():
        record.keep(name, content)
    released = config["protocol"] == "released"
    implied = {"conv.pools": "inside" if released and config["conv"]["name"] == "full" else "padded"}
    implied["data.splits"] = "shared" if released else "disjoint"
    values |= {"label": "run", "config": config, "metrics": metrics, "notes": {}, "sweep": None, "commit": None}
    values["implied"] = {key: value for key, value in implied.items() if key.partition(".")[0] in config}
    record.finish([], {**values, "began": 1_700_000_000.0, "ended": 1_700_000_001.0})


def rows_of(capsys):
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.fixture
def red_green(store, workdir):
    for conv, accuracies in (("full", (0.86, 0.84)), ("same", (0.99, 0.97))):
        for protocol, splits in (("paper", "disjoint"), ("released", "shared")):
            for seed, accuracy in enumerate(accuracies):
                other = accuracy if conv == "full" else 0.1
                curve = {f"shift_{s}": accuracy + (other - accuracy) * s / 16 for s in range(17)}
                ceiling = {"ceiling": 0.8724} if conv == "full" else {}
                config = {"experiment": {"name": "red_green"}, "conv": {"name": conv}, "seed": seed}
                config |= {"protocol": protocol, "data": {"name": "red_green", "splits": splits}}
                config["conv"]["pools"] = "inside" if (conv, protocol) == ("full", "released") else "padded"
                metrics = {"accuracy": accuracy, "similar": accuracy, "dissimilar": other, "n": 1000.0}
                leave(workdir, config, metrics | curve | ceiling)
    return workdir


def test_red_green_has_the_promised_columns_in_percent(red_green, capsys):
    assert main(["red_green", "--format", "csv"]) == 0
    rows = rows_of(capsys)
    promised = ["conv", "protocol", "n", "similar_mean", "similar_std", "dissimilar_mean", "dissimilar_std"]
    assert [c for c in rows[0] if c in promised] == promised
    found = {(r["conv"], r["protocol"]): r for r in rows}
    assert len(rows) == 4
    assert "conv.pools" not in rows[0]  # says nothing where no layer pools
    full = found["full", "paper"]
    assert full["n"] == "2"
    assert float(full["similar_mean"]) == float(full["dissimilar_mean"]) == pytest.approx(85)
    assert float(full["similar_std"]) == pytest.approx(2**0.5, abs=1e-3)
    assert float(full["ceiling"]) == pytest.approx(87.24)
    assert (float(full["published_similar"]), float(full["published_dissimilar"])) == (89.7, 89.7)
    assert found["same", "released"]["ceiling"] == ""
    assert float(found["same", "released"]["shift_8"]) == pytest.approx((98 + 10) / 2)


def test_red_green_shows_both_protocols_beside_the_published_table(red_green, capsys):
    assert main(["red_green"]) == 0
    said = capsys.readouterr().out
    assert "85.0 ± 1.4 [79, 91] (2)" in said
    assert "89.7 ± 0.43: released agrees, paper agrees" in said  # 0.05 and 2.26 * 0.5 / 3
    assert "released" in said
    assert "87.2" in said
    assert (red_green / "results" / "red_green.png").stat().st_size > 10_000


def test_a_run_that_deviates_from_its_protocol_is_a_row_of_its_own(red_green, capsys):
    config = {"experiment": {"name": "red_green"}, "conv": {"name": "full"}, "seed": 0}
    config |= {"protocol": "paper", "data": {"name": "red_green", "splits": "shared"}}
    metrics = {"accuracy": 0.9, "similar": 0.9, "dissimilar": 0.9, "n": 1000.0}
    leave(red_green, config, metrics | {f"shift_{s}": 0.9 for s in range(17)})
    main(["red_green", "--format", "csv"])
    rows = rows_of(capsys)
    assert {(r["protocol"], r["data.splits"]) for r in rows} == {
        ("paper", "disjoint"),
        ("paper", "shared"),
        ("released", "shared"),
    }
    assert len(rows) == 5


def reel(kernel=5, side=36, epochs=(0, 1, 2, 10)):
    generator = np.random.default_rng(0)
    file = io.BytesIO()
    maps = generator.random((len(epochs), 2, side, side))
    np.savez_compressed(file, epoch=epochs, filter=generator.normal(size=(len(epochs), kernel, kernel)), maps=maps)
    return file.getvalue()


@pytest.fixture
def rooks(store, workdir):
    for conv, accuracy, loss in (("same", 1.0, 0.01), ("full", 0.5, 0.7)):
        for seed in (0, 1):
            config = {"experiment": {"name": "rook"}, "conv": {"name": conv}, "seed": seed}
            metrics = {"accuracy": accuracy, "loss": loss * (1 + seed), "margin": 1.0, "n": 2.0}
            leave(workdir, config, metrics, {film.FILE: reel(side=36 if conv == "full" else 32)})
    return workdir


def test_rook_reports_accuracy_loss_and_margin(rooks, capsys):
    assert main(["rook", "--format", "csv"]) == 0
    found = {r["conv"]: r for r in rows_of(capsys)}
    assert [float(found[c]["accuracy_mean"]) for c in ("same", "full")] == [100, 50]
    assert float(found["same"]["loss"]) == pytest.approx(0.015)
    assert float(found["full"]["margin"]) == 1


def test_rook_draws_a_strip_and_a_film(rooks, capsys):
    assert main(["rook"]) == 0
    assert ".gif" in capsys.readouterr().out
    moving = Image.open(rooks / "results" / "rook.gif")
    assert moving.n_frames > 2
    assert (rooks / "results" / "rook.png").stat().st_size > 10_000


def test_rook_without_films_still_gives_its_table(rooks, capsys):
    for path in rooks.glob(f"runs/rook/*/{film.FILE}"):
        path.unlink()
    assert main(["rook"]) == 0
    assert ".gif" not in capsys.readouterr().out


def test_a_picture_of_the_film_shares_one_scale_and_marks_what_can_be_seen():
    maps = np.zeros((1, 2, 32, 32))
    maps[0, 0, 3, 4], maps[0, 1, 30, 31] = 0.5, 1.0
    shown = film.picture(film.Reel(np.array([0]), np.ones((1, 5, 5)), maps), 0)
    marks = (shown == (255, 89, 0)).all(2).nonzero()
    assert list(zip(*marks, strict=True)) == [(3, 32 + film.GAP + 4), (30, 64 + 2 * film.GAP + 31)]


@pytest.fixture
def impulses(store, workdir):
    for conv, one, side in (("same", 0, 5), ("full", 1, 7)):
        config = {"experiment": {"name": "impulse", "tap": "bottom-right"}, "conv": {"name": conv}, "seed": 0}
        config |= {"data": {"name": "impulse", "side": 5}}
        metrics = {"accuracy": 1.0 - one / 2, "class_1": float(one), "class_2": 1.0, "side": float(side), "n": 2.0}
        lines = ["class,row,column,value", "2,3,3,1"] + ["1,0,0,1"] * one
        leave(workdir, config, metrics, {"maps.csv": "\n".join(lines).encode()})
    return workdir


def test_impulse_gives_the_largest_responses_beside_the_published_ones(impulses, capsys):
    assert main(["impulse", "--format", "csv"]) == 0
    found = {r["conv"]: r for r in rows_of(capsys)}
    assert (float(found["same"]["class_1"]), float(found["same"]["class_2"])) == (0, 1)
    assert (found["same"]["told_apart"], found["full"]["told_apart"]) == ("True", "False")
    theirs = {conv: (row["published_class_1"], row["published_class_2"]) for conv, row in found.items()}
    assert (theirs["same"], theirs["full"]) == (("0.0000", "1.0000"), ("1.0000", "1.0000"))
    assert {row["published_class_1_verdict"] for row in found.values()} == {"agrees"}


@pytest.mark.parametrize("form", ["text", "md", "latex"])
def test_impulse_is_printed_and_drawn(impulses, capsys, form):
    assert main(["impulse", "--format", form]) == 0
    assert "0 / 1" in capsys.readouterr().out
    assert (impulses / "results" / "impulse.png").stat().st_size > 10_000
