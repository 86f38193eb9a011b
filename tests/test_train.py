"""The training loop learns, follows the plateau rule to the letter, repeats bit for bit; the probe is the optimum."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import nn

from equivariance import train
from equivariance.config import Probe, Sgd
from equivariance.errors import NotFinite
from equivariance.probe import fit_probe
from equivariance.train import Examples, Score, evaluate, fit, score, sgd


def recipe(**changes):
    """The paper's recipe (science 4.6), with changes."""
    values = {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-5, "batch": 8, "epochs": 30}
    values |= {"patience": 5, "factor": 0.1, "min_lr": 1e-6, "name": "sgd"}
    return Sgd(**(values | changes))


def examples(n=40, channels=6, gap=2.0, seed=0):
    """Two classes, `gap` apart in the first channel."""
    x = torch.randn(n, channels, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % 2
    x[:, 0] += gap * (2 * labels - 1)
    return Examples(labels, lambda i: x[i])


def linear(seed=0, channels=6, classes=2):
    torch.manual_seed(seed)
    return nn.Linear(channels, classes)


def fitted(model, data, validation, optim, seed, to_train_mode, *report):
    return fit(model, data, validation, sgd(model, len(data), optim, seed, to_train_mode), *report)


class TestFit:
    def test_it_learns_what_can_be_learnt(self):
        model = linear()
        rows = fit(
            model, examples(), examples(seed=1), sgd(model, len(examples()), recipe(lr=0.1, epochs=20), 0, model.train)
        )
        assert rows[-1]["train_loss"] < 0.3 * rows[0]["train_loss"]
        assert evaluate(model, examples(seed=2), 8).accuracy > 0.9

    def test_a_recipe_may_bring_its_own_loss_which_trains_and_scores(self):
        """By hand: one step on scores w*x of the negative own score moves w by its mean gradient."""
        model, data = linear(), examples(n=8)
        start = model.weight.detach().clone()

        def negative(logits, labels):
            return -logits.gather(1, labels[:, None]).mean()

        plain = sgd(model, 8, recipe(lr=0.1, momentum=0.0, weight_decay=0.0, epochs=1), 0, model.train)
        rows = fit(model, data, data, replace(plain, loss=negative))
        x = data.inputs(torch.arange(8))
        step = torch.stack([x[data.labels == label].sum(0) / 8 for label in (0, 1)])
        assert torch.allclose(model.weight, start + 0.1 * step, atol=1e-6)
        after = negative(model(x), data.labels).item()
        assert rows[0]["validation_loss"] == pytest.approx(after)
        assert rows[0]["train_loss"] > after

    def test_the_same_seed_gives_the_same_history_and_weights_to_the_bit(self):
        def run(seed):
            model = linear()
            rows = fit(
                model, examples(), examples(seed=1), sgd(model, len(examples()), recipe(epochs=4), seed, model.train)
            )
            return rows, model.weight.detach().clone()

        (rows, weight), (again, weight_again), (other, _) = run(3), run(3), run(4)
        assert rows == again
        assert torch.equal(weight, weight_again)
        assert rows != other

    def test_foreign_random_numbers_do_not_disturb_the_order(self):
        model = linear()
        first = fitted(model, examples(), examples(seed=1), recipe(epochs=2), 0, model.train)
        model = linear()
        torch.rand(100)
        assert fitted(model, examples(), examples(seed=1), recipe(epochs=2), 0, model.train) == first

    def test_one_epoch_is_torch_sgd_with_nesterov_momentum_and_weight_decay(self):
        model, data = linear(), examples(24)
        reference = copy.deepcopy(model)
        fitted(model, data, data, recipe(epochs=1, lr=0.05), 7, model.train)
        velocity = {name: torch.zeros_like(p) for name, p in reference.named_parameters()}
        for batch in torch.randperm(24, generator=torch.Generator().manual_seed(7)).split(8):
            loss = F.cross_entropy(reference(data.inputs(batch)), data.labels[batch])
            gradients = torch.autograd.grad(loss, list(reference.parameters()))
            with torch.no_grad():
                for (name, p), g in zip(reference.named_parameters(), gradients, strict=True):
                    g = g + 5e-5 * p
                    velocity[name] = 0.9 * velocity[name] + g
                    p -= 0.05 * (g + 0.9 * velocity[name])
        torch.testing.assert_close(model.weight, reference.weight)
        torch.testing.assert_close(model.bias, reference.bias)

    def test_frozen_parameters_do_not_move(self):
        body, head = nn.Linear(6, 6), nn.Linear(6, 2)
        body.requires_grad_(False)
        model, before = nn.Sequential(body, head), body.weight.clone()
        moved = head.weight.detach().clone()
        fit(
            model,
            examples(),
            examples(),
            sgd(model, len(examples()), recipe(epochs=1, lr=1.0, weight_decay=0.5), 0, model.train),
        )
        assert torch.equal(body.weight, before)
        assert not torch.equal(head.weight, moved)

    def test_each_epoch_starts_in_the_wanted_mode_and_validates_in_eval_mode(self):
        model, seen = nn.Sequential(nn.Dropout(0.5), linear()), []

        def to_train_mode():
            seen.append(model.training)
            return model.train()

        fitted(model, examples(), examples(seed=1), recipe(epochs=3), 0, to_train_mode)
        assert seen[1:] == [False, False]

    def test_every_row_is_reported(self):
        model, told = linear(), []
        rows = fit(
            model, examples(), examples(), sgd(model, len(examples()), recipe(epochs=3), 0, model.train), told.append
        )
        assert told == rows
        assert [row["epoch"] for row in rows] == [1, 2, 3]
        columns = {"epoch", "lr", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}
        assert all(set(row) == columns for row in rows)


def plateau(losses, optim):
    """Science 4.6, line by line: the rates used, and whose weights an epoch starts from (its number; 0 the initial).

    Keep the best; after `patience` non-improving epochs the next one lowers the rate, reloads the best weights and
    resets patience; stop when the rate has fallen to min_lr.
    """
    best, best_epoch, bad, rate = math.inf, 0, 0, optim.lr
    rates, starts, current = [], [], 0
    for epoch, loss in enumerate(losses, 1):
        rates.append(rate)
        starts.append(current)
        current = epoch
        if loss < best:
            best, best_epoch, bad = loss, epoch, 0
            continue
        bad += 1
        if bad == optim.patience + 1:
            rate, bad, current = rate * optim.factor, 0, best_epoch
            if rate < optim.min_lr or math.isclose(rate, optim.min_lr):
                break
    return rates, starts, best_epoch


def follow(losses, optim, monkeypatch):
    """What fit does when validation says `losses`: rates, starts and the final weights, by epoch."""
    model = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(model.weight)
    answers, starts = iter(losses), []

    def told(model, examples, batch, loss):
        model.weight.data.fill_(next(epochs))
        return Score(0.5, next(answers), 0.0, 1)

    def to_train_mode():
        starts.append(int(model.weight[0, 0].item()))

    epochs = iter(range(1, 10_000))
    monkeypatch.setattr(train, "evaluate", told)
    monkeypatch.setattr(train, "one_epoch", lambda *arguments: Score(0.5, 1.0, 0.0, 1))
    data = Examples(torch.zeros(1, dtype=torch.int64), lambda i: torch.zeros(len(i), 1))
    rows = fitted(model, data, data, optim, 0, to_train_mode)
    return [row["lr"] for row in rows], starts, int(model.weight[0, 0].item())


class TestPlateau:
    def test_six_epochs_without_improvement_lower_the_rate_and_return_to_the_best(self, monkeypatch):
        """By hand: best at epoch 2; epochs 3 to 8 do not improve; epoch 9 starts anew from 2 at a tenth."""
        losses = [3.0, 2.0] + [2.0] * 28
        rates, starts, final = follow(losses, recipe(), monkeypatch)
        assert rates[:9] == pytest.approx([1e-3] * 8 + [1e-4])
        assert starts[:9] == [0, 1, 2, 3, 4, 5, 6, 7, 2]
        assert rates == pytest.approx([1e-3] * 8 + [1e-4] * 6 + [1e-5] * 6)  # then it would be 1e-6: the end
        assert final == 2

    def test_an_improvement_at_the_last_moment_resets_the_patience(self, monkeypatch):
        losses = [3.0] + [4.0] * 5 + [2.0] + [4.0] * 5 + [1.0] + [4.0] * 6 + [5.0] * 11
        rates, _, final = follow(losses, recipe(), monkeypatch)
        assert rates[:19] == pytest.approx([1e-3] * 19)
        assert rates[19] == pytest.approx(1e-4)
        assert final == 13

    def test_training_ends_with_the_epochs(self, monkeypatch):
        rates, _, final = follow([1 / n for n in range(1, 31)], recipe(), monkeypatch)
        assert len(rates) == 30
        assert final == 30

    @settings(max_examples=80)
    @given(st.lists(st.integers(0, 6), min_size=40, max_size=40), st.integers(0, 5), st.sampled_from([0.1, 0.5]))
    def test_any_sequence_of_losses_is_followed_to_the_letter(self, losses, patience, factor):
        optim = recipe(epochs=40, patience=patience, factor=factor)
        with pytest.MonkeyPatch.context() as patch:
            rates, starts, final = follow([float(loss) for loss in losses], optim, patch)
        expected_rates, expected_starts, best = plateau(losses, optim)
        assert rates == pytest.approx(expected_rates)
        assert starts == expected_starts
        assert final == best

    def test_training_that_diverges_ends_in_the_epoch_in_which_it_does(self):
        model, rows = linear(channels=4), []
        x = torch.randn(24, 4, generator=torch.Generator().manual_seed(0)) * 1e20
        data = Examples(torch.arange(2).repeat_interleave(12), x.__getitem__)
        with pytest.raises(NotFinite, match=r"^training diverges; class scores: \d+ of 48 numbers are not finite$"):
            fitted(model, data, data, recipe(lr=1e2, batch=4), 0, model.train, rows.append)
        assert len(rows) < 3


class TestProbe:
    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.parametrize("l2", [1e-3, 0.1])
    def test_it_is_the_regularised_optimum(self, classes, l2):
        """sklearn adds |w|^2 / 2 to C times the summed loss, so C = 1 / (n l2); its two-class model has one weight
        vector instead of two opposite halves, whose squares sum to half as much, so there C = 2 / (n l2)."""
        n, rng = 90, np.random.default_rng(0)
        labels = np.arange(n) % classes
        x = rng.normal(size=(n, 5)) * [1, 10, 0.1, 3, 1] + [0, 50, 0, 0, -3]
        x[:, 0] += labels
        standard = (x - x.mean(0)) / x.std(0)
        model = LogisticRegression(C=(2 if classes == 2 else 1) / (n * l2), tol=1e-10, max_iter=10_000)
        expected = model.fit(standard, labels).predict_log_proba(standard)
        head = linear(channels=5, classes=classes).double()
        row = fit_probe(head, torch.from_numpy(x), torch.from_numpy(labels), Probe(name="probe", l2=l2, iterations=500))
        found = head(torch.from_numpy(x)).log_softmax(1).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert 1 < row["iterations"] < 500

    def test_features_that_are_the_same_for_both_classes_give_one_half_exactly(self):
        pictures = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
        features, labels = pictures.repeat(2, 1), torch.arange(2).repeat_interleave(20)
        head = linear(channels=7)
        fit_probe(head, features, labels, Probe(name="probe", l2=1e-3, iterations=500))
        unseen = torch.randn(15, 7, generator=torch.Generator().manual_seed(1))
        found = score(head(unseen.repeat(2, 1)), torch.arange(2).repeat_interleave(15))
        assert found.accuracy == 0.5
        assert found.loss == pytest.approx(math.log(2), abs=1e-6)

    def test_a_feature_that_is_constant_but_for_rounding_is_left_out(self):
        labels = torch.arange(40) % 2
        features = torch.full((40, 2), 3.0)
        features[:, 0] += labels * 3e-7  # one step of float32 at 3
        features[:, 1] = torch.randn(40, generator=torch.Generator().manual_seed(0))
        head = linear(channels=2)
        fit_probe(head, features, labels, Probe(name="probe", l2=1e-3, iterations=500))
        assert torch.equal(head.weight[:, 0], torch.zeros(2))
        assert head.weight[:, 1].abs().min() > 0

    def test_a_large_offset_does_not_hide_a_difference(self):
        labels = torch.arange(40) % 2
        features = 1000 + 0.1 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
        features[:, 0] += labels
        head = linear(channels=3)
        fit_probe(head, features, labels, Probe(name="probe", l2=1e-3, iterations=500))
        assert score(head(features), labels).accuracy == 1

    def test_the_start_does_not_matter(self):
        data = examples()
        everything = data.inputs(torch.arange(40))
        heads = [linear(seed) for seed in (0, 1)]
        for head in heads:
            fit_probe(head, everything, data.labels, Probe(name="probe", l2=1e-3, iterations=500))
        assert torch.equal(heads[0].weight, heads[1].weight)


class TestScore:
    def test_by_hand(self):
        logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.5]])
        found = score(logits, torch.tensor([0, 1, 1, 1]))
        losses = [math.log(1 + math.exp(-m)) for m in (2, 1, -3, 0.5)]
        assert found.accuracy == 0.75
        assert found.loss == pytest.approx(sum(losses) / 4)
        assert found.margin == pytest.approx((2 + 1 - 3 + 0.5) / 4)
        assert found.n == 4

    def test_the_margin_is_to_the_best_other_class(self):
        assert score(torch.tensor([[5.0, 3.0, 4.0]]), torch.tensor([0])).margin == 1

    @given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=9))
    def test_equal_scores_for_both_classes_of_each_picture_are_one_half(self, values):
        logits = torch.tensor([[v, w] for v, w in zip(values, reversed(values), strict=True)])
        labels = torch.arange(2).repeat_interleave(len(values))
        assert score(logits.repeat(2, 1), labels).accuracy == 0.5

    def test_ties_are_one_half(self):
        assert score(torch.zeros(6, 2), torch.arange(6) % 2).accuracy == 0.5

    @pytest.mark.parametrize("batch", [1, 3, 100])
    def test_evaluation_does_not_depend_on_the_batch_and_uses_eval_mode(self, batch):
        model = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.9), linear())
        data = examples()
        expected = score(model.eval()(data.inputs(torch.arange(40))), data.labels)
        found = evaluate(model.train(), data, batch)
        assert (found.accuracy, found.n) == (expected.accuracy, 40)
        assert found.loss == pytest.approx(expected.loss)
        assert model[0].num_batches_tracked == 0
