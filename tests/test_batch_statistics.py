"""Batch normalisation in use has the statistics of the training split, and nothing else has changed."""

import pytest
import torch
from torch import nn

from equivariance import batch_statistics
from equivariance.train import Examples


def test_statistics_are_those_of_the_split_whatever_they_were():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 2))
    images = torch.randn(12, 3, 8, 8) * 3 + 1
    model.train()(images + 100)
    weights = [p.clone() for p in model.parameters()]
    batch_statistics.measure(model, Examples(torch.zeros(12), lambda chosen: images[chosen]), 4)
    parts = [model[0](part) for part in images.split(4)]
    mean = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)
    var = torch.stack([part.var((0, 2, 3)) for part in parts]).mean(0)
    torch.testing.assert_close(model[1].running_mean, mean)
    torch.testing.assert_close(model[1].running_var, var)
    assert model[1].momentum == 0.1
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(p, q) for p, q in zip(weights, model.parameters(), strict=True))


def test_a_picture_that_is_left_over_weighs_as_any_other():
    model = nn.Sequential(nn.BatchNorm2d(1))
    images = torch.zeros(65, 1, 2, 2)
    images[64] = 1
    batch_statistics.measure(model, Examples(torch.zeros(65), lambda chosen: images[chosen]), 64)
    assert model[0].running_mean.item() == torch.tensor(1 / 65).item()
    uneven = torch.randn(50, 1, 2, 2)
    batch_statistics.measure(model, Examples(torch.zeros(50), lambda chosen: uneven[chosen]), 32)
    torch.testing.assert_close(model[0].running_mean, uneven.mean((0, 2, 3)))


@pytest.mark.parametrize("count", [2, 3, 5, 21])
@pytest.mark.parametrize("batch", [1, 2, 20])
def test_no_example_is_measured_alone(count, batch):
    model, images = nn.Sequential(nn.BatchNorm2d(1)), torch.randn(count, 1, 1, 1)
    batch_statistics.measure(model, Examples(torch.zeros(count), lambda chosen: images[chosen]), batch)
    torch.testing.assert_close(model[0].running_mean, images.mean((0, 2, 3)))
    assert model[0].running_var.isfinite().all()


def test_a_model_without_batch_normalisation_stays_as_it_is():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    batch_statistics.measure(model, Examples(torch.zeros(2), lambda chosen: torch.ones(len(chosen), 12)), 2)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
