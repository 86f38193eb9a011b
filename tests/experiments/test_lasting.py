"""How long is trained: equal updates at equal rates, passes, and batches that cannot be normalised."""

import pytest
import torch

from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.data_efficiency.lasting import lasting
from tests.experiments.test_data_efficiency import TINY


def recipe_of(optim, count, model=None):
    model = torch.nn.Sequential(torch.nn.Linear(1, 1)) if model is None else model
    return lasting(model, count, optim, 0, torch.device("cpu"), 8)


@pytest.mark.parametrize("count", [1, 5, 16, 17, 50, 3000])
def test_equal_updates_at_equal_rates_whatever_the_number_of_pictures(config, count):
    recipe = recipe_of(config(*TINY, "optim.updates=130", "optim.batch=16", "optim.epochs=12").optim, count)
    epochs = [recipe.order().split(recipe.batch) for _ in range(recipe.epochs)]
    assert [len(batches) for batches in epochs] == [130 * (e + 1) // 12 - 130 * e // 12 for e in range(12)]
    batches = [batch.tolist() for batches in epochs for batch in batches]
    assert {(len(batch), len(set(batch))) for batch in batches} == {(min(16, count),) * 2}
    often = torch.bincount(torch.tensor([number for batch in batches for number in batch]), minlength=count)
    assert often.max() - often.min() <= (1 if count % 16 == 0 or count < 16 else 30)
    assert (recipe.rule.epochs, recipe.epochs) == (12, 12)


def test_without_updates_an_epoch_is_a_pass(config):
    recipe = recipe_of(config(*TINY, "optim.batch=16", "optim.epochs=3").optim, 50)
    assert sorted(recipe.order().tolist()) == list(range(50))
    assert (recipe.epochs, recipe.batch) == (3, 16)


def test_a_run_of_updates_that_was_killed_goes_on_with_the_same_batches(config):
    optim = config(*TINY, "optim.updates=40", "optim.batch=16", "optim.epochs=7").optim
    whole, again = recipe_of(optim, 50), recipe_of(optim, 50)
    orders = [whole.order() for _ in range(7)]
    for _ in range(3):
        again.order()
    assert all(torch.equal(again.order(), order) for order in orders[3:])


def test_a_picture_alone_on_a_map_of_one_entry_is_refused_before_training(config):
    tiny = ("experiment.canvas=32", "data.side=8", "arch=resnet18", "data.per_class=2", "optim.epochs=1")
    with pytest.raises(UserError, match=r"optim\.batch=19: one training picture would be normalised alone"):
        compute.run(config(*TINY, *tiny, "optim.batch=19"))
    with pytest.raises(UserError, match=r"optim\.batch=10"):
        compute.run(config(*TINY, *tiny, "optim.batch=10", "optim.micro_batch=3"))
    with pytest.raises(UserError, match=r"optim\.batch=1:"):
        compute.run(config(*TINY, *tiny, "optim.batch=1", "optim.updates=1"))
    assert compute.run(config(*TINY, *tiny, "optim.batch=19", "optim.updates=1")).metrics["updates"] == 1
    assert compute.run(config(*TINY, *tiny, "optim.batch=20")).metrics["updates"] == 1
