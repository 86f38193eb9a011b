"""Data efficiency: subsets are nested and shared, places fit, controls cost what they should, bad input is one line."""

import math

import pytest
import torch

from equivariance.canvas.cost import work
from equivariance.data.labelled import Labelled, load
from equivariance.errors import UserError
from equivariance.experiments import compute, controls
from equivariance.experiments.controls import sides
from equivariance.experiments.data_efficiency import run as module
from equivariance.experiments.data_efficiency.controls import Wider, matched, network
from equivariance.experiments.data_efficiency.subsets import places, subset
from equivariance.job import prepare
from equivariance.models import build, hollow
from equivariance.protocols import implied
from equivariance.resuming import FILE
from equivariance.stopping import Cosine, Step
from equivariance.train import Score
from tests.test_resuming import Stopped, stopping_after

TINY = ("experiment=data_efficiency", "device=cpu", "data.train=120", "data.validation=10", "data.test=20")
RUN = (*TINY, "data.per_class=2", "optim.epochs=1", "data.side=8", "experiment.canvas=16")


def split_of(labels, classes=3):
    names = tuple(f"p{n}" for n in range(len(labels)))
    return Labelled(torch.zeros(len(labels), 3, 8, 8), torch.tensor(labels), names, tuple("abc"[:classes]))


@pytest.mark.parametrize("data", ["labelled_folder", "labelled_imagenet", "digits"])
def test_no_protocol_says_how_labelled_pictures_are_made_smaller(config, data):
    there = () if data == "digits" else ("data.root=x", "data.train=null", "data.test=null")
    told = implied(config("experiment=data_efficiency", "experiment.canvas=300", f"data={data}", *there))
    assert not [key for key in told if key.startswith("data.")]
    assert told["experiment.selection"] == "last"


def test_fewer_pictures_are_among_more_and_each_class_has_as_many():
    split = split_of([0, 1, 2] * 20)
    few, more, everything = (subset(split, n, 5) for n in (3, 11, None))
    assert set(few.tolist()) < set(more.tolist()) < set(everything.tolist())
    assert torch.bincount(split.labels[few]).tolist() == [3, 3, 3]
    assert len(everything) == 60
    assert not torch.equal(few, subset(split, 3, 6))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            [0, 0, 0, 1, 1, 2],
            r"^data\.per_class=2: class c has 1 of the 6 training pictures; allowed: up to 1, or a larger",
        ),
        (
            [0, 0, 0, 1, 1, 1],
            r"^data\.per_class=2: class c has 0 of the 6 training pictures; allowed: null, or a larger",
        ),
    ],
)
def test_a_class_with_fewer_pictures_than_asked_is_named(labels, said):
    with pytest.raises(UserError, match=said):
        subset(split_of(labels), 2, 0)


def test_places_hold_the_whole_picture_and_reach_the_edges():
    found = places("train", 4000, 5, "random", 0) + 5 // 2
    assert (found.min(), found.max()) == (0, 5)
    assert len(found.unique(dim=0)) == 36
    assert torch.equal(found[:7], places("train", 7, 5, "random", 0) + 2)  # of the picture alone
    assert not places("test", 9, 5, "centred", 0).any()


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_no_place_is_that_of_the_same_number_in_another_split(seed):
    train, validation, test = (places(split, 4000, 7, "random", seed) for split in ("train", "validation", "test"))
    for one, other in ((train, validation), (train, test), (validation, test)):
        assert (one == other).all(1).float().mean() < 2.5 / 64  # 1/64 by chance


@pytest.fixture
def seen(monkeypatch):
    """What networks are given: images of each batch."""
    given = []

    class Scene(module.Backdrop):
        def images(self, pixels, moved):
            given.append((super().images(pixels, moved), moved))
            return given[-1][0]

    monkeypatch.setattr(module, "Backdrop", Scene)
    return given


def test_all_variants_of_a_seed_train_on_the_same_pictures_at_the_same_places(config, seen, workdir):
    def of(*overrides):
        seen.clear()
        result = compute.run(config(*RUN, *overrides))
        return [moved for _, moved in seen], [image for image, _ in seen], result

    places_, images, result = of("conv=same")
    assert (result.metrics["pictures"], result.metrics["classes"], result.metrics["updates"]) == (20, 10, 1)
    assert len(result.files["pictures.txt"].splitlines()) == 20
    for variant in (("conv=full",), ("experiment.control=margin",), ("conv=full", "experiment.control=crop")):
        their_places, their_images, other = of(*variant)
        assert all(torch.equal(a, b) for a, b in zip(places_, their_places, strict=True))
        assert other.notes["subset"] == result.notes["subset"]
        margin = int(other.metrics["margin"])
        inner = their_images[0][:, :, margin : margin + 16, margin : margin + 16]
        assert torch.equal(inner, images[0])
    assert of("seed=1")[2].notes["subset"] != result.notes["subset"]
    tested = [moved for moved in of("seed=1")[0] if len(moved) == 20][-1]
    assert torch.equal(
        tested, [moved for moved in places_ if len(moved) == 20][-1]
    )  # on the same places whatever the seed


def test_a_control_costs_or_pools_as_much_as_full_convolution(config):
    def cost(run):
        found = matched(run)
        model = build(network(run, found.width), run.init, run.conv.rule, "avg", 0, 10)
        model.feature_map.kept = found.kept
        side = run.experiment.canvas + 2 * max(found.margins, default=0)
        images = torch.empty(1, 3, side, side, device="meta")
        return work(model, images).multiply_adds, found

    same, _ = cost(config(*TINY))
    full, _ = cost(config(*TINY, "conv=full"))
    assert full > 1.5 * same
    wide, _ = cost(config(*TINY, "experiment.control=width"))
    assert wide == pytest.approx(full, rel=0.06)
    _, margin = cost(config(*TINY, "experiment.control=margin"))
    arch = config(*TINY).arch
    wider, _ = margin.margins
    same, full = hollow(arch, "same"), hollow(arch, "full")
    assert sides(same, (32 + 2 * wider,) * 2) == sides(full, (32, 32))
    assert sides(same, (30 + 2 * wider,) * 2)[0] < sides(full, (32, 32))[0]


def test_a_cropped_map_is_the_part_of_fulls_that_same_has(config):
    run = config(*TINY, "conv=full", "experiment.control=crop")
    model = hollow(run.arch, "full").to_empty(device="cpu").eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    for name, buffer in model.named_buffers():
        buffer.copy_(torch.ones_like(buffer) if "var" in name else torch.zeros_like(buffer))
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = model(images)
        model.kept = matched(run).kept
        kept = model(images)
    assert kept.shape[2:] == (8, 8)
    first = (whole.unfold(2, 8, 1).unfold(3, 8, 1) == kept[:, :, None, None]).flatten(4).all(4).all(1).nonzero()
    assert first[:, 1:].tolist() == [[3, 3]]  # a map of 14: by hand, outputs that touch the image only beyond its edge


def test_a_network_of_ones_own_is_widened_by_its_width_to_the_nearest_cost(config):
    small = ("arch=python", "arch.name=equivariance.models.resnet_small:resnet_small")
    run = config(*TINY, *small, "arch.kwargs={name: resnet8, width: 4}", "experiment.control=width")
    found = network(run, matched(run).width)
    assert found.kwargs["width"] > 4

    def cost(arch, conv="same"):
        return work(hollow(arch, conv).eval(), torch.empty(1, 3, 32, 32, device="meta")).multiply_adds

    full, width = cost(run.arch, "full"), found.kwargs["width"]
    near = {
        w: abs(cost(found.model_copy(update={"kwargs": {**found.kwargs, "width": w}})) - full) for w in range(3, 12)
    }
    assert min(near, key=near.get) == width


def test_a_published_network_is_widened_by_the_key_that_its_library_has(config):
    run = config(*TINY, "arch=torchvision", "arch.name=resnet50", "experiment.control=width")
    fixed = run.arch.model_dump() | {"kwargs": {run.widening: 80}}
    inner = [m.out_channels for m in hollow(Wider(**fixed), "same").modules() if isinstance(m, torch.nn.Conv2d)]
    assert inner[1] == 80


def test_a_width_that_makes_nothing_wider_is_refused():
    def made(width, conv):
        return torch.nn.Conv2d(3, 8, 3, padding={"same": 1, "full": 2}[conv], device="meta")

    with pytest.raises(UserError, match=r"^experiment\.control=width: at width 65536 the network still costs"):
        controls.matched("width", made, (32, 32), (True, True), "full")


def test_a_width_that_counts_in_steps_is_found():
    def made(width, conv):
        channels = -(-(width or 8) // 8) * 8  # as of networks for phones: 1 to 8 are one and the same
        return torch.nn.Conv2d(3, channels, 3, padding={"same": 1, "full": 2}[conv], device="meta")

    # Of 4×4 full makes 6×6: 2.25 times the work, and 16 channels are nearer to 18 than 24 are.
    assert controls.matched("width", made, (4, 4), (True, True), "full").width in range(9, 17)


@pytest.mark.parametrize("make", [lambda best: Cosine(1.0, 4, best), lambda best: Step(1.0, 2, 0.1, best)])
def test_the_best_epochs_weights_are_kept_if_asked_for_and_else_the_last(make):
    for best, kept in ((True, 1.0), (False, 3.0)):
        model = torch.nn.Linear(1, 1)
        optimiser, rule = torch.optim.SGD(model.parameters(), lr=1.0), make(best)
        for epoch, accuracy in enumerate((0.2, 0.7, 0.5, 0.7)):
            torch.nn.init.constant_(model.weight, float(epoch))
            assert rule.goes_on(Score(accuracy, math.nan, 0.0, 1), model, optimiser)
        rule.settle(model)
        assert model.weight.item() == kept


def test_as_released_the_best_epoch_is_chosen_by_the_test(config, workdir):
    released = config(*RUN, "protocol=released", "optim.epochs=4", "optim.lr=0.3")
    assert (released.experiment.selection, released.experiment.statistics) == ("test", "running")
    result = compute.run(released)
    assert result.metrics["accuracy"] == max(row["validation_accuracy"] for row in result.history)
    assert config(*RUN).experiment.selection == "last"


def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(workdir, config):
    def computed(runs, *stops):
        for stop in [*stops, 9]:
            job = prepare(config(*RUN, "optim.epochs=4", "experiment.selection=validation", f"runs={runs}"))
            try:
                found = job.work(stopping_after(stop))
            except Stopped:
                assert (job.record.path / FILE).exists()
        return found["metrics"], job.record.history(), (job.record.path / "checkpoint.safetensors").read_bytes()

    assert computed("a", 2) == computed("b")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["experiment.canvas=12"], "experiment.canvas=12: allowed: from data.side=16"),
        (["experiment.control=crop"], "experiment.control=crop: allowed with conv=full | unbounded, not"),
        (["conv=full", "experiment.control=width"], "experiment.control=width: allowed with conv=same, not with"),
        (
            ["experiment.control=width", "arch=python", "arch.name=a:b", "arch.kwargs={width: true}"],
            "experiment.control=width: there is no wider arch=a:b",
        ),
        (["optim.updates=3", "optim.epochs=4"], "optim.updates=3: allowed: null, or from optim.epochs=4"),
        (["experiment.control=width", "arch=resnet18"], "experiment.control=width: there is no wider arch=resnet18"),
        (["data.per_class=0"], "data.per_class=0: allowed: an integer from 1"),
        (["optim.updates=0"], "optim.updates=0: allowed: an integer from 1"),
        (["experiment.placement=left"], "experiment.placement=left: allowed: centred | random"),
        (["init.checkpoint=x"], "init.checkpoint=x: allowed: null"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_any_work(config, overrides, said):
    with pytest.raises(UserError) as caught:
        config(*TINY, *overrides)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_more_pictures_than_the_data_have_is_one_line(config):
    run = config(*TINY, "data.per_class=500")
    with pytest.raises(
        UserError, match=r"^data\.per_class=500: class \d has \d+ of the 120 training pictures; allowed"
    ):
        subset(load(run.data)["train"], run.data.per_class, 0)
