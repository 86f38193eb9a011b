"""Patch matching: loss, FPR95, triplets and pairs against brute force; a run learns, repeats, and pairs its seeds."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.patch_matching import run as module
from equivariance.experiments.patch_matching.fpr import fpr95, redrawn
from equivariance.experiments.patch_matching.hardest import HardestInBatch, triplet
from equivariance.experiments.patch_matching.patches import PairSet, Patches, halved, pairs, triplets
from equivariance.experiments.patch_matching.sets import Sets, disjoint

TINY = ("experiment=patch_matching", "device=cpu", "experiment.triplets=8", "optim.batch=4", "optim.epochs=1")


class Described(nn.Module):
    """Patches [N, 1, 1, d] are their own descriptors."""

    def forward(self, patches):
        return F.normalize(patches.flatten(1))


@settings(max_examples=25)
@given(st.integers(2, 7), st.integers(2, 5), st.integers(0, 2**31 - 1))
def test_the_loss_is_that_of_a_double_loop_over_the_batch(count, dimensions, seed):
    drawn = torch.randn(count, 2, 1, 1, dimensions, generator=torch.Generator().manual_seed(seed)).double()
    anchors, positives = (Described()(part) for part in drawn.unbind(1))
    total = 0.0
    for i in range(count):
        own, hardest = torch.dist(anchors[i], positives[i]), torch.tensor(math.inf)
        for j in range(count):
            if i != j:
                hardest = min(hardest, torch.dist(anchors[i], positives[j]), torch.dist(anchors[j], positives[i]))
        total += max(0.0, (1 + own - hardest).item()) / count
    scores = HardestInBatch(Described())(drawn)
    found = triplet(scores, torch.zeros(count, dtype=torch.int64), 1.0)
    assert found.item() == pytest.approx(total, abs=2e-3)  # distances below 0.001 are 0.001


def test_equal_patches_have_a_gradient():
    drawn = torch.ones(3, 2, 1, 1, 4, requires_grad=True)
    triplet(HardestInBatch(Described())(drawn), torch.zeros(3, dtype=torch.int64), 1.0).backward()
    assert drawn.grad.isfinite().all()


def brute_force(distances, matching):
    """The lowest threshold, tried one by one, at which 95 % of the matching pairs are found; exact in whole numbers."""
    near, far = distances[matching], distances[~matching]
    for threshold in sorted(near):
        if 100 * sum(d <= threshold for d in near) >= 95 * len(near):
            return sum(d <= threshold for d in far) / len(far)
    raise AssertionError


@given(st.data(), st.integers(1, 60), st.integers(1, 30))
def test_fpr95_is_that_of_trying_every_threshold(data, matches, others):
    values = st.lists(st.integers(0, 20), min_size=matches + others, max_size=matches + others)  # with ties
    distances = np.array(data.draw(values)) / 10
    matching = np.arange(matches + others) < matches
    assert fpr95(distances, matching) == brute_force(distances, matching)


@given(st.integers(0, 10_000))
def test_a_pair_counted_so_often_is_a_pair_that_is_there_so_often(seed):
    random = np.random.default_rng(seed)
    distances, matching = random.integers(0, 9, 24) / 9, np.arange(24) < 12
    counts = random.integers(0, 4, 24)
    counts[[0, 12]] += 1
    found = fpr95(distances, matching, counts)
    assert found == brute_force(np.repeat(distances, counts), np.repeat(matching, counts))


def test_fpr95_by_hand():
    distances = np.array([*range(1, 21), 0, 18, 19, 20.5])  # 19 of 20 matches lie within 19
    assert fpr95(distances, np.arange(24) < 20) == 3 / 4


def test_what_is_drawn_anew_is_points_not_pairs():
    """Ten pairs of each point that stand and fall together: over points the spread is that of points, about √10 ×."""
    random = np.random.default_rng(0)
    own, each = 60, 10
    names = np.arange(own).repeat(each)
    matches = random.uniform(0, 1, own).repeat(each)
    strangers = np.stack([names, (names + 1) % own], 1)
    distances = np.concatenate([matches, random.uniform(0, 2, own).repeat(each)])
    points = np.concatenate([np.stack([names, names], 1), strangers])
    apart = np.arange(len(points))
    alone = points.copy()  # every pair of points of its own
    alone[: own * each] = apart[: own * each, None]
    alone[own * each :] = 10_000 + 2 * apart[own * each :, None] + [0, 1]
    assert redrawn(distances, points).std() > 2 * redrawn(distances, alone).std()
    assert np.array_equal(redrawn(distances, points), redrawn(distances, points))


def test_points_drawn_anew_cover_the_truth():
    """FPR95 of normal distances is known; 95 % intervals from redrawn points hold it about as often as they say."""
    from scipy.stats import norm

    truth, inside = norm.cdf(norm.ppf(0.95) - 2), 0
    random = np.random.default_rng(1)
    names = np.arange(150)
    points = np.concatenate([np.stack([names, names], 1), np.stack([names, random.permutation(names - 1)], 1)])
    points = points[np.r_[np.ones(150, bool), points[150:, 0] != points[150:, 1]]]
    for _ in range(40):
        distances = np.concatenate([random.normal(0, 1, 150), random.normal(2, 1, len(points) - 150)])
        value = fpr95(distances, points[:, 0] == points[:, 1])
        inside += abs(value - truth) < 1.96 * redrawn(distances, points, 60).std()
    assert 31 <= inside <= 40


def of_points(*views):
    """Patches of points with so many views each; every patch has its number as its pixels."""
    count = sum(views)
    pixels = np.arange(count)[:, None, None] + np.zeros((1, 2, 2), np.int64)
    return Patches(pixels.astype(np.uint8), np.repeat(np.arange(len(views)), views))


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(0, 100), st.data())
def test_triplets_are_different_pairs_of_one_point_and_batches_of_different_ones(batch, seed, data):
    patches = of_points(
        *data.draw(st.lists(st.integers(1, 4), min_size=2 * batch + 3, max_size=20)), 2, 2, *[3] * batch * 2
    )
    found, aside = triplets(patches, 2 * batch, batch, seed)
    named = patches.points[found]
    assert (named[:, 0] == named[:, 1]).all()
    assert (found[:, 0] != found[:, 1]).all()
    assert len({frozenset(pair) for pair in found.tolist()}) == 2 * batch
    for some in named[:, 0].reshape(-1, batch):
        assert len(set(some)) == batch
    assert not set(named[:, 0]) & set(patches.points[aside][:, 0])
    fewer, same_aside = triplets(patches, batch + 1, batch, seed)
    assert np.array_equal(fewer, found[: batch + 1])
    assert np.array_equal(aside, same_aside)


def test_more_triplets_than_the_data_have_are_refused_with_what_they_have():
    patches = of_points(*[2] * 12)  # four points set aside, of the others a pair each
    assert len(triplets(patches, 8, 4, 0)[0]) == 8
    with pytest.raises(UserError, match=r"^experiment\.triplets=9: .* allowed: up to 8$"):
        triplets(patches, 9, 4, 0)
    with pytest.raises(UserError, match=r"allowed: a smaller optim\.batch$"):
        triplets(patches, 9, 10, 0)


def test_test_pairs_are_half_matches_over_all_points_and_half_strangers():
    patches = of_points(*[3] * 10)
    found = pairs(patches, 40, 0)
    named = patches.points[found]
    matching = named[:, 0] == named[:, 1]
    assert matching.tolist() == [True] * 20 + [False] * 20
    assert len({frozenset(pair) for pair in found[:20].tolist()}) == 20
    assert set(named[:20, 0]) == set(range(10))
    assert set(found[20:].flatten()) <= set(found[:20].flatten())
    with pytest.raises(UserError, match=r"^data\.pairs=62: .* allowed: up to 60$"):
        pairs(patches, 62, 0)


def test_a_patch_that_is_trained_and_tested_on_is_refused():
    one, other = of_points(2, 2), of_points(2, 2, 2)
    disjoint(one, other)  # each of one grey, which shows nothing
    for patches in (one, other):
        patches.pixels[:, 0, 0] = 255
    disjoint(one, Patches(other.pixels + 100, other.points))
    with pytest.raises(UserError, match=r"^data: 4 patches are both trained and tested on"):
        disjoint(one, other)


def test_patches_are_halved_by_means():
    pixels = np.array([[[0, 1, 10, 10], [1, 1, 10, 13], [255, 255, 0, 0], [255, 255, 0, 1]]], np.uint8)
    assert halved(pixels).tolist() == [[[1, 11], [255, 0]]]


@pytest.fixture
def few(monkeypatch):
    """Sets of random patches, of which the views of a point are alike."""
    random = np.random.default_rng(0)

    def made(points):
        base = random.integers(60, 190, (points, 1, 32, 32))
        pixels = (base + random.integers(-12, 13, (points, 3, 32, 32))).reshape(-1, 32, 32).astype(np.uint8)
        return Patches(pixels, np.repeat(np.arange(points), 3))

    test = made(12)
    sets = Sets(made(16), {"here": PairSet(test, pairs(test, 40, 0)), "there": PairSet(test, pairs(test, 40, 1))})
    monkeypatch.setattr(module, "load", lambda data: sets)
    return sets


@pytest.mark.parametrize("conv", ["same", "full", "unbounded"])
def test_a_run_learns_and_says_what_it_costs(config, few, conv):
    found = compute.run(config(*TINY, f"conv={conv}", "optim.epochs=3", "optim.lr=1.0", "arch.dropout=0.0"))
    assert found.history[-1]["train_loss"] < found.history[0]["train_loss"]
    assert found.history[-1]["lr"] == 0
    assert found.metrics["fpr95"] == (found.metrics["fpr95_here"] + found.metrics["fpr95_there"]) / 2
    assert (found.metrics["descriptor"], found.metrics["parameters"]) == (128, 1_334_560)
    millions = {"same": 39, "full": 126, "unbounded": 126}[conv]  # science, by hand
    assert 1000 * found.metrics["gmacs"] == pytest.approx(millions, abs=0.6)
    assert found.metrics["n"] == 24
    assert len(found.redrawn["fpr95"]) == 200


def test_released_has_its_quirks_and_the_same_seed_the_same_run(config, few):
    released = config(*TINY[:3], "protocol=released", "optim.epochs=1", "optim.batch=4", "conv=full")
    assert (released.arch.mean, released.arch.std, released.experiment.head) == (0.4437, 0.2020, "flat")
    assert config(*TINY[:3], "protocol=released", "experiment.triplets=512").optim.batch == 256
    first, second = compute.run(released), compute.run(released)
    assert first.metrics == second.metrics
    assert first.metrics["descriptor"] == 6272
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_variants_of_a_seed_are_trained_on_the_same_triplets_and_seeds_differ(config, few, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "triplets", lambda *arguments: seen.append(triplets(*arguments)) or seen[-1])
    for overrides in (("conv=same",), ("conv=full",), ("conv=same", "seed=1")):
        compute.run(config(*TINY, *overrides))
    assert np.array_equal(seen[0][0], seen[1][0])
    assert not np.array_equal(seen[0][0], seen[2][0])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["experiment.triplets=9"], r"^optim\.batch=4: of experiment\.triplets=9 one is left alone.*allowed: "),
        (["conv=valid"], r"^experiment\.head=max: conv=valid .* allowed: whole | global$"),
        (["data=hpatches"], r"^data\.root=null: data=hpatches needs it; allowed: data\.root=FILE\.npz$"),
        (["data=phototour"], r"^data\.root=null: .* allowed: data\.root=FOLDER with .* yosemite, liberty, notredame$"),
        (["init.checkpoint=a.pth"], r"^init\.checkpoint=a\.pth: allowed: null"),
        (["experiment.head=mean"], r"^experiment\.head=mean: allowed: flat \| max \| whole \| global with"),
        (["data.pairs=21"], r"^data\.pairs=21: half of them match; allowed: even numbers$"),
        (["data=photos"], r"^data\.name=photos: allowed: views \| hpatches \| phototour"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(config, overrides, message):
    with pytest.raises(UserError, match=message):
        config(*TINY, *overrides)
