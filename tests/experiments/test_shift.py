"""Shift: objects lie where they are said to, splits share none, and where nothing is seen of the place all agree."""

import pytest
import torch

from equivariance.config import scientific
from equivariance.data.backdrop import Backdrop
from equivariance.data.labelled import Labelled, load, outputs
from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.shift import measure
from equivariance.experiments.shift.crops import Crops

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


def test_a_picture_alone_on_a_map_of_one_entry_is_refused_before_training(config):
    with pytest.raises(UserError, match=r"^optim\.batch=59: one training picture would be normalised alone"):
        compute.run(config(*FAST, "arch=resnet18", "experiment.reach=4", "optim.batch=59"))


def test_objects_lie_in_the_middle_and_move_by_whole_pixels(config):
    run = config(*TINY)
    backdrop, split = Backdrop.of(run.arch, run.experiment.canvas, run.experiment.background), load(run.data)["test"]
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
    from equivariance.experiments.shift import measure as module

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
        (["init=frozen-pretrained"], "optim=cosine: allowed: none with init=frozen-pretrained"),
        (
            ["experiment.background=none"],
            "experiment.reach=12: a crop of experiment.canvas=48 in the middle of data.side=16",
        ),
        (["data.train=0"], "data.train=0: allowed: an integer from 10"),
        (["init=frozen-random"], "init.name=frozen-random: allowed: scratch | frozen-pretrained"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(config, overrides, said):
    with pytest.raises(UserError, match=f"^{said.replace('|', chr(92) + '|')}"):
        config(*TINY, *overrides)


def test_more_images_than_there_are_is_one_line(config):
    with pytest.raises(UserError, match=r"^data.test=500: 297 images are left; allowed: up to these$"):
        load(config("experiment=shift", "data.train=1200", "data.validation=300").data)


def scores_where_right(right, labels):
    """Class scores that are right for some pictures and wrong for the others."""
    return torch.eye(10)[torch.where(right, labels, (labels + 1) % 10)]


CROPS = (*TINY, "data=labelled_photos", "data.side=40", "experiment.background=none", "experiment.canvas=32")


def test_a_crop_that_moves_shows_what_lies_there(config):
    run = config(*CROPS, "experiment.reach=4")
    crops, split = Crops.of(run), load(run.data)["test"]
    pictures = split.pixels[torch.tensor([0, 0, 1])]
    shown = crops.images(pictures, torch.tensor([[0, 0], [-4, 3], [4, 4]]))
    whole = (pictures - crops.mean) / crops.std
    assert torch.equal(shown[0], whole[0, :, 4:36, 4:36])
    assert torch.equal(shown[1], whole[1, :, 0:32, 7:39])
    assert torch.equal(shown[2], whole[2, :, 8:40, 8:40])


def test_crops_are_trained_on_and_measured(config, workdir):
    result = compute.run(config(*CROPS, "experiment.reach=4", "experiment.draws=1", "conv=unbounded"))
    curve = [result.metrics[f"diagonal_{t}"] for t in range(9)]
    assert "diagonal_9" not in result.metrics
    assert result.metrics["diagonal"] == pytest.approx(sum(curve) / 9)
    assert curve[4] == result.metrics["accuracy"]  # the middle
    (told,) = result.right["consistency"]
    assert told.count("1") / len(told) == result.metrics["consistency"]


def test_as_released_a_batch_shares_its_places_and_the_last_is_never_drawn(config):
    released, paper = (config(*TINY, f"protocol={p}").experiment for p in ("released", "paper"))
    assert (released.draws, released.drawn, released.outputs) == (5, "batch", "released")
    found = [measure.moves(e, 300, torch.Generator().manual_seed(n)) for n in range(60) for e in (released, paper)]
    theirs, ours = torch.stack(found[::2]), torch.stack(found[1::2])
    assert (theirs[:, :256] == theirs[:, :1]).all()
    assert (theirs[:, 256:] == theirs[:, 256:257]).all()
    assert (theirs.min(), theirs.max()) == (-12, 11)
    assert (ours.min(), ours.max()) == (-12, 12)
    assert len(ours[0].unique(dim=0)) > 100


def test_the_diagonal_goes_from_the_upper_left_to_the_bottom_right(config):
    run, labels = config(*FAST), torch.arange(20) % 10

    def predict(moved, rolled=None):
        return scores_where_right((moved[:, 0] == moved[:, 1]) & (moved[:, 0] > 2), labels)

    metrics, _ = measure.measured(run.experiment, 0, predict, labels)
    assert [metrics[f"diagonal_{t}"] for t in range(13)] == [0] * 9 + [1] * 4
    assert metrics["diagonal"] == pytest.approx(4 / 13)


@pytest.mark.parametrize(("choice", "outputs"), [((), 1000), (("conv=full",), 10), (("downsample=blur",), 10)])
def test_as_released_the_unmodified_network_alone_keeps_imagenets_head(config, workdir, choice, outputs):
    result = compute.run(config(*FAST, "protocol=released", *choice))
    assert result.weights["head.weight"].shape[0] == outputs


def test_what_came_later_leaves_earlier_runs_their_identity(config):
    found = scientific(config(*TINY), {})["experiment"]
    assert not {"drawn", "outputs", "order"} & found.keys()
    assert scientific(config(*TINY, "experiment.drawn=batch"), {})["experiment"]["drawn"] == "batch"


def test_what_is_to_be_trained_needs_a_recipe(config):
    with pytest.raises(UserError, match=r"^optim=none: allowed: cosine | step with init=scratch$"):
        config("experiment=shift", "optim=none")


@pytest.fixture
def pretrained(config, tmp_path, monkeypatch):
    """Runs a whole SqueezeNet from a file of weights on twelve pictures of a thousand classes."""
    from torchvision.models import squeezenet1_0

    from equivariance.experiments.shift import run as module

    torch.manual_seed(0)
    torch.save(squeezenet1_0().state_dict(), tmp_path / "weights.pth")
    pictures, labels = torch.rand(12, 3, 72, 72), torch.arange(12)
    classes = tuple(map(str, range(1000)))
    split = Labelled(pictures, labels, classes[:12], classes)
    monkeypatch.setattr(module, "load", lambda data: {"test": split})
    chosen = ("init=frozen-pretrained", f"init.checkpoint={tmp_path / 'weights.pth'}", "optim=none")
    network = ("arch=squeezenet1_0", "data=labelled_photos", "data.side=72", "experiment.background=none")
    sizes = ("experiment=shift", "device=cpu", "experiment.canvas=64", "experiment.reach=1", "experiment.draws=1")
    return lambda *more: compute.run(config(*sizes, *network, *chosen, *more))


def test_a_published_network_is_measured_as_it_is_beside_the_unchanged_one(pretrained, workdir):
    as_is, changed = pretrained(), pretrained("conv=unbounded")
    assert as_is.metrics["agreement"] == 1
    assert as_is.metrics["accuracy"] == as_is.metrics["accuracy_unchanged"] == changed.metrics["accuracy_unchanged"]
    assert "distribution shift" in changed.notes["boundary"]
    assert "boundary" not in as_is.notes
    assert (as_is.history, as_is.weights) == ([], {})


def test_which_output_tells_which_class_is_known_or_refused():
    test = Labelled(torch.zeros(3, 3, 8, 8), torch.tensor([0, 1, 0]), ("x",) * 3, ("b", "d"))
    assert outputs.labels(test, 2, None, "net").tolist() == [0, 1, 0]
    assert outputs.labels(test, 4, ["d", "c", "b", "a"], "net").tolist() == [2, 0, 2]
    with pytest.raises(UserError, match=r"arch=net has 4 outputs and 2 classes are named; allowed: data with"):
        outputs.labels(test, 4, None, "net")
    with pytest.raises(UserError, match="arch=net has 0 outputs"):
        outputs.labels(test, 0, None, "net")
    with pytest.raises(UserError, match=r"^experiment\.order: no d; allowed"):
        outputs.labels(test, 2, ["b", "c"], "net")
