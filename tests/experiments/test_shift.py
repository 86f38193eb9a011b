"""Shift: objects lie where they are said to, splits share none, and where nothing is seen of the place all agree."""

import pytest
import torch

from equivariance.data.labelled import load
from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.shift.objects import Backdrop

TINY = ("experiment=shift", "device=cpu", "data.train=60", "data.validation=10", "data.test=24", "optim.epochs=1")
FAST = (*TINY, "experiment.draws=2", "experiment.reach=6", "experiment.canvas=32", "optim.lr=0.02")


def test_no_image_is_in_two_splits_and_the_seed_chooses(config):
    def contents(*overrides):
        splits = load(config(*TINY, *overrides).data)
        return {name: {image.numpy().tobytes() for image in split.pixels} for name, split in splits.items()}

    found, other = contents(), contents("data.seed=1")
    assert [len(found[s]) for s in ("train", "validation", "test")] == [60, 10, 24]
    assert not found["train"] & (found["test"] | found["validation"])
    assert not found["test"] & found["validation"]
    assert found["test"] != other["test"]


def test_objects_lie_in_the_middle_and_move_by_whole_pixels(config):
    run = config(*TINY)
    backdrop, split = Backdrop.of(run), load(run.data)["test"]
    moved = torch.tensor([[0, 0], [5, -3]])
    still, gone = backdrop.images(split.pixels[:1].expand(2, -1, -1, -1), moved)
    assert torch.equal(gone, still.roll((5, -3), (1, 2)))
    empty = torch.tensor(backdrop.colour)[:, None, None]
    assert torch.equal(still[:, :16], empty.expand(3, 16, 48))
    assert not torch.equal(still[:, 16:32, 16:32], empty.expand(3, 16, 16))


@pytest.mark.parametrize("seed", [0, 1])
def test_variants_of_a_seed_see_the_same_pictures_and_places(config, monkeypatch, seed):
    from equivariance.experiments.shift import run as module

    asked = []

    def seen(model, backdrop, test, moved, rolled, device):
        asked[-1].append((moved.clone(), rolled))
        return torch.eye(10)[test.labels]

    monkeypatch.setattr(module, "_predicted", seen)
    for conv in ("same", "full"):
        asked.append([])
        assert compute.run(config(*FAST, f"conv={conv}", f"seed={seed}")).metrics["consistency"] == 1
    for (one, _), (other, _) in zip(*asked, strict=True):
        assert torch.equal(one, other)


def test_rolled_images_are_not_those_of_moved_objects(config, monkeypatch):
    """Else the circular shifts would measure what the others do: many objects must be cut by the edge."""
    from equivariance.experiments.shift import run as module

    turns = []

    def seen(model, backdrop, test, moved, rolled, device):
        turns.extend([] if rolled is None else rolled.tolist())
        return torch.eye(10)[test.labels]

    monkeypatch.setattr(module, "_predicted", seen)
    compute.run(config(*FAST))
    cut = [any(8 < along < 24 for along in turn) for turn in turns]  # an object of 16 in the middle of 32 pixels
    assert len(turns) == 2 * 2 * 24
    assert sum(cut) > len(cut) / 2


def test_unbounded_depends_on_the_phase_alone(config, monkeypatch):
    """Shifts by multiples of the total stride change nothing, before and after training."""
    from equivariance.experiments.shift import run as module

    def multiples(low, high, size, generator):
        return 4 * torch.randint(low // 4 + 1, high // 4, size, generator=generator)

    monkeypatch.setattr(module, "drawn", multiples)
    assert compute.run(config(*FAST, "conv=unbounded")).metrics["consistency"] == 1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["experiment.reach=17"], "experiment.reach=17: .*has room for 16; allowed: up to 16"),
        (["data=cifar10", "experiment.reach=4"], "data.root=null: data=cifar10 needs a folder"),
        (["downsample.size=3"], "downsample.size=3: allowed: 1 but with downsample=blur"),
        (["downsample.name=max"], "downsample.name=max: allowed: strided | blur | polyphase"),
        (["data.train=0"], "data.train=0: allowed: an integer from 10"),
        (["init=frozen-random"], "init.name=frozen-random: allowed: scratch"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(config, overrides, said):
    with pytest.raises(UserError, match=f"^{said.replace('|', chr(92) + '|')}"):
        config(*TINY, *overrides)


def test_more_images_than_there_are_is_one_line(config):
    with pytest.raises(UserError, match=r"^data.test=500: 297 images are left; allowed: up to these$"):
        load(config("experiment=shift", "data.train=1200", "data.validation=300").data)
