"""Red-Green: what must be equal is equal, what leaks leaks, and the published table comes out."""

import pytest
import torch

from equivariance.experiments.red_green import run as red_green
from equivariance.experiments.red_green.ceiling import red_green_ceiling

CPU = torch.device("cpu")
TIGHT = ("full", "unbounded", "circular")
SMALL = ("data.train=400", "data.validation=100", "data.test=200", "optim.epochs=3")
# Science 5.4: mean and deviation in percent, similar and dissimilar.
PUBLISHED = {
    "valid": ((100.0, 0.0), (0.2, 0.1)),
    "same": ((99.8, 0.1), (8.4, 0.7)),
    "circular": ((73.7, 1.0), (73.7, 1.0)),
    "full": ((89.7, 0.5), (89.7, 0.5)),
}


@pytest.fixture
def trained(config):
    def run(conv, *overrides):
        return red_green.run(config("experiment=red_green", f"conv={conv}", *overrides), CPU)

    return run


@pytest.mark.parametrize("conv", TIGHT)
def test_accuracy_repeats_exactly_with_the_stride_where_the_boundary_is_not_seen(trained, conv):
    found = trained(conv, *SMALL).metrics
    assert found["similar"] == found["dissimilar"]
    assert all(found[f"shift_{s}"] == found[f"shift_{s + 8}"] for s in range(9))
    assert found["ceiling"] == red_green_ceiling(period=32 if conv == "circular" else None)


@pytest.mark.parametrize("conv", ["valid", "same"])
def test_the_height_is_learnt_where_the_boundary_is_seen(trained, conv):
    result = trained(conv, *SMALL[:3], "optim.epochs=15")
    found = result.metrics
    assert found["similar"] > 0.9
    assert found["dissimilar"] < 0.4
    assert "ceiling" not in found
    assert (found["shift_0"], found["shift_16"]) == (found["similar"], found["dissimilar"])
    for side, right in result.right.items():
        assert [place.count("1") / 200 for place in right] == [pytest.approx(found[side])]


@pytest.mark.parametrize("conv", ["same", *(pytest.param(c, marks=pytest.mark.slow) for c in ("full", "partial"))])
def test_both_engines_train_alike(trained, conv):
    few = ("data.train=200", "data.validation=50", "data.test=50", "optim.epochs=2", "optim.batch=50")
    ours, dense = (trained(conv, *few, f"engine={e}") for e in ("auto", "dense"))
    for a, b in zip(ours.history, dense.history, strict=True):
        assert a == pytest.approx(b, rel=1e-3)
    assert ours.notes["engine"] != dense.notes["engine"]


def test_a_seed_gives_the_same_run_again_and_another_seed_another(trained):
    few = ("data.train=200", "data.validation=50", "data.test=50", "optim.epochs=1")
    first, again, other = (trained("same", *few, f"seed={s}").history for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_training_ends_when_the_validation_loss_has_not_fallen_for_long_enough(trained):
    few = ("data.train=100", "data.validation=50", "data.test=50", "optim.epochs=60", "optim.patience=2")
    losses = [row["validation_loss"] for row in trained("circular", *few).history]
    best = losses.index(min(losses))
    assert len(losses) == min(60, best + 1 + 3)
    assert len(losses) < 60


def test_the_released_protocol_is_the_authors(config):
    """Science 5.1 and 5.2."""
    found = config("experiment=red_green", "protocol=released")
    assert (found.data.splits, found.data.seed, found.optim.shuffle) == ("shared", 1988, False)
    assert (found.data.train, found.data.validation, found.data.test) == (2000, 1000, 1000)
    recipe = {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 5e-5, "batch": 200, "epochs": 50, "patience": 8}
    assert found.optim.model_dump(include=set(recipe)) == recipe


@pytest.mark.slow
@pytest.mark.parametrize("conv", PUBLISHED)
def test_the_released_protocol_gives_the_published_accuracies(trained, conv):
    """Mean of three seeds, within two points or twice the published deviation."""
    runs = [trained(conv, "protocol=released", f"seed={seed}").metrics for seed in range(3)]
    for side, (mean, deviation) in zip(("similar", "dissimilar"), PUBLISHED[conv], strict=True):
        assert sum(100 * r[side] for r in runs) / 3 == pytest.approx(mean, abs=max(2, 2 * deviation))


@pytest.mark.slow
@pytest.mark.parametrize("conv", TIGHT)
def test_fresh_test_images_respect_the_ceiling(trained, conv):
    found = trained(conv).metrics
    noise = 3 * (found["ceiling"] * (1 - found["ceiling"]) / found["n"]) ** 0.5
    assert 0.6 < found["similar"] < found["ceiling"] + noise
