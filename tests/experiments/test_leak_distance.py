"""Leak distance: the search against brute force, the test against binomial sums, and no leak where theory has none."""

import copy
import math

import pytest
import torch
from torch import nn

from equivariance.decoding import Decoding, decode, search
from equivariance.experiments import compute
from equivariance.experiments.leak_distance import run as leak_distance
from equivariance.experiments.location import learning
from equivariance.experiments.location.structure import place, structure
from equivariance.train import score

CPU = torch.device("cpu")
TINY = ("device=cpu", "experiment.picture=24", "experiment.canvas=88")


@pytest.fixture
def run(config, workdir):
    return lambda *overrides: compute.run(config("experiment=leak_distance", *TINY, *overrides))


class TestSearch:
    @pytest.mark.parametrize("resolution", [1, 5, 8])
    @pytest.mark.parametrize("bound", [0, 1, 8, 29, 40, None])
    def test_it_finds_what_trying_every_border_finds(self, bound, resolution):
        limit = 45
        allowed = [b for b in range(0, limit + 1, resolution) if bound is None or b < bound]
        for end in range(limit + 10):  # decodable below it
            tried = []

            def decodable(border, end=end, tried=tried):
                tried.append(border)
                return border < end

            found = search(decodable, bound, resolution, limit)
            yes, no = [b for b in allowed if b < end], [b for b in allowed if b >= end]
            above = no[0] if no else bound
            assert found == ((yes[-1], above) if yes else (0, 0))
            assert set(tried) <= set(allowed)
            assert len(tried) == len(set(tried)) <= 2 + math.ceil(math.log2(len(allowed) + 1))

    def test_the_outlook_expects_as_many_borders_as_are_tried(self, config):
        resnet = config("experiment=leak_distance")
        borders = [c.border for c in leak_distance.expected(resnet)]
        assert borders[0] == 0
        assert borders[-1] == 432  # the last multiple of 8 below the bound
        assert structure(resnet).bound(place(resnet)) == 433
        assert leak_distance.expected(config("experiment=leak_distance", "conv=unbounded")) == []


class TestDecoding:
    @pytest.mark.parametrize("confidence", [0.95, 0.8])
    def test_the_bound_exceeds_one_half_exactly_where_the_sign_test_rejects(self, confidence):
        for right in range(13):
            for wrong in range(13):
                decided = right + wrong
                tail = sum(math.comb(decided, k) for k in range(right, decided + 1)) / 2**decided
                assert (Decoding(right, wrong, 30).low(confidence) > 0.5) == (tail < 1 - confidence)

    @pytest.mark.parametrize("n", [1, 5, 32])
    def test_all_right_is_bounded_by_the_root_of_the_error(self, n):
        found = Decoding(n, 0, n)
        assert found.accuracy == 1
        assert found.low(0.95) == pytest.approx(0.05 ** (1 / n))

    def test_pictures_that_decide_nothing_pull_accuracy_and_bound_to_one_half(self):
        found = Decoding(8, 2, 20)
        assert found.accuracy == (8 * 2 + 10) / 40
        assert found.low(0.95) - 0.5 == pytest.approx((Decoding(8, 2, 10).low(0.95) - 0.5) / 2)
        assert Decoding(0, 0, 20).low(0.95) == 0.5

    def test_at_chance_it_is_wrong_at_most_as_often_as_stated_where_counting_images_is_not(self):
        """Both images of a picture right, or both wrong, by the toss of a coin."""
        n = 16
        chance = [math.comb(n, k) / 2**n for k in range(n + 1)]
        by_picture = sum(p for k, p in enumerate(chance) if Decoding(k, n - k, n).low(0.95) > 0.5)
        images = [sum(math.comb(2 * n, j) for j in range(2 * k, 2 * n + 1)) / 4**n for k in range(n + 1)]
        by_image = sum(p for p, tail in zip(chance, images, strict=True) if tail < 0.05)
        assert by_picture <= 0.05 < by_image

    def test_right_wrong_and_undecided_pictures_are_told_apart(self):
        head = nn.Linear(1, 2)
        head.load_state_dict({"weight": torch.tensor([[0.0], [1.0]]), "bias": torch.zeros(2)})
        upper, lower = [-1.0, 1.0, 1.0, -2.0, 0.5], [1.0, -1.0, 2.0, -1.0, 0.5]
        found = decode(head, torch.tensor(upper + lower)[:, None], 0)
        assert (found.right, found.wrong, found.n) == (1, 1, 5)
        assert found.accuracy == 0.5

    def test_a_head_that_reads_rounding_decides_nothing(self):
        upper = torch.full((9, 1), 0.7)
        lower = torch.nextafter(upper, torch.ones(()))
        between = (upper[0].double() + lower[0].double()) / 2
        head = nn.Linear(1, 2, dtype=torch.float64)
        weight = torch.tensor([[0.0], [1e9]], dtype=torch.float64)
        head.load_state_dict({"weight": weight, "bias": torch.stack([between * 0, -1e9 * between])[:, 0]})
        features = torch.cat([upper, lower])
        labels = torch.arange(2).repeat_interleave(9)
        assert score(head(features.double()), labels).accuracy == 1
        assert decode(head, features, 0) == Decoding(0, 0, 9)
        assert decode(head, features.double(), 0) == Decoding(9, 0, 9)  # in float64 the same would be information
        assert decode(head, features.double(), 1e-6) == Decoding(0, 0, 9)


class TestNoFalseLeak:
    """Borders that the search never tries, measured all the same."""

    @staticmethod
    def measured(config, *overrides):
        here = config(*TINY, "data.pictures=3", "optim=probe", *overrides)
        pictures, _ = learning.load(here, CPU)
        model = learning.network(here, place(here), CPU, pictures["train"])
        fitted = learning.learn(here, place(here), model, pictures)
        test = fitted.examples["test"]
        features = test.inputs(torch.arange(len(test)))
        return structure(here).certified(place(here)), features[:3] - features[3:], decode(model.head, features, 0)

    @pytest.mark.parametrize(
        ("engine", "pooling"),
        [
            ("canvas", "max"),
            pytest.param("dense", "avg", marks=pytest.mark.slow),
            pytest.param("canvas", "avg", marks=pytest.mark.slow),
            pytest.param("dense", "max", marks=pytest.mark.slow),
        ],
    )
    def test_a_certified_border_is_not_decodable(self, config, workdir, engine, pooling):
        choices = ("arch=bagnet33", "experiment.canvas=48", "border=32")
        certified, _, decoding = self.measured(config, *choices, f"engine={engine}", f"experiment.pooling={pooling}")
        assert certified
        assert decoding == Decoding(0, 0, 3)

    def test_neither_is_one_where_the_places_differ_by_rounding_alone(self, config, workdir):
        """A path from the picture to the edge is there, but in float64 the features agree to 1e-15."""
        certified, difference, decoding = self.measured(config, "border=416", "experiment.pooling=avg")
        assert not certified
        assert 0 < difference.abs().max() < 1e-6
        assert decoding == Decoding(0, 0, 3)


class TestRuns:
    def test_each_border_gives_what_the_quadrant_experiment_gives(self, run, config):
        result = run("data.pictures=6", "experiment.resolution=216")
        assert result.metrics["bound"] == 433
        assert (result.metrics["leak_distance"], result.metrics["not_decodable"]) == (0, 216)
        assert len(result.history) == result.metrics["evaluations"]
        for row in result.history:
            quadrant = (*TINY, "data.pictures=6", "optim=probe", f"border={row['border']:.0f}")
            other = compute.run(config(*quadrant))
            assert row["test_accuracy"] == pytest.approx(other.metrics["accuracy"])
            upper, lower = result.right[f"{row['border']:.0f}"]
            assert (len(upper), len(lower)) == (6, 6)
            assert (upper + lower).count("1") / 12 == pytest.approx(row["test_accuracy"])
            assert (row["test_accuracy_low"] > 0.5) == row["decodable"]
        decodable = {row["border"] for row in result.history if row["decodable"]}
        assert result.metrics["leak_distance"] == max(decodable)
        assert result.metrics["n"] == 12

    def test_a_whole_network_is_trained_anew_at_each_border(self, run, monkeypatch):
        started = []

        def learn(config, task, model, pictures):
            started.append((task.border, copy.deepcopy(model.state_dict())))
            return learning.learn(config, task, model, pictures)

        monkeypatch.setattr(leak_distance, "learn", learn)
        monkeypatch.setattr(leak_distance, "decode", lambda *a: Decoding(9, 0, 9))
        choices = ("arch=resnet8", "init=scratch", "optim=sgd", "optim.epochs=1", "data.pictures=2")
        result = run(*choices, "experiment.resolution=16")
        assert [border for border, _ in started] == [0, 16]
        (_, first), *others = started
        assert all(torch.equal(first[name], other[name]) for _, other in others for name in first)
        assert (result.metrics["leak_distance"], result.metrics["not_decodable"]) == (16, 23)

    def test_where_theory_rules_out_every_border_nothing_is_computed(self, run, monkeypatch):
        monkeypatch.setattr(leak_distance, "network", lambda *a: pytest.fail("a network was built"))
        result = run("conv=unbounded")
        assert result.notes["certified"] == "yes"
        expected = {"leak_distance": 0, "not_decodable": 0, "bound": 0, "evaluations": 0, "accuracy": 0.5, "n": 64}
        assert result.metrics == expected

    def test_without_a_bound_it_goes_up_to_the_limit(self, run, monkeypatch):
        monkeypatch.setattr(leak_distance, "decode", lambda *a: Decoding(9, 0, 9))
        result = run("experiment.canvas=87", "data.pictures=2", "experiment.limit=20")  # places out of phase
        assert result.metrics["leak_distance"] == 16
        assert not {"bound", "not_decodable"} & set(result.metrics)
        assert [row["border"] for row in result.history] == [0, 16]

    def test_the_outlook_knows_what_is_certified_and_that_more_borders_take_longer(self, config, workdir, monkeypatch):
        from equivariance.experiments.location import estimate

        monkeypatch.setattr(estimate, "_forward", lambda config, device: 1.0)
        leak = ("experiment=leak_distance", *TINY)
        assert compute.outlook([config(*leak, "conv=unbounded")]) == (1, 0.0)
        _, one = compute.outlook([config(*TINY, "optim=probe")])
        certified, many = compute.outlook([config(*leak)])
        assert certified == 0
        borders = [c for c in leak_distance.expected(config(*leak)) if not structure(c).certified(place(c))]
        assert len(borders) > 5
        assert many == pytest.approx(len(borders) * one)
