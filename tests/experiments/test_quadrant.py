"""The quadrant experiment end to end, tiny: it repeats itself, freezes what it says, cannot do the impossible."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.location import learning
from equivariance.experiments.location.structure import place

TINY = ("arch=resnet8", "data.pictures=2", "device=cpu", "experiment.picture=24", "experiment.canvas=56")


@pytest.fixture
def run(config, workdir):
    """Runs a tiny experiment from overrides."""
    return lambda *overrides: compute.run(config(*TINY, *overrides))


@pytest.fixture
def models(monkeypatch):
    """Catches each model that a run builds, with its state just before training."""
    built, before = [], []

    def catch(*arguments, **keywords):
        model = build(*arguments, **keywords)
        built.append(model)
        before.append({name: tensor.clone() for name, tensor in model.trunk.state_dict().items()})
        return model

    def after(model, *arguments, **keywords):
        calibrate(model, *arguments, **keywords)
        before[-1] = {name: tensor.clone() for name, tensor in model.trunk.state_dict().items()}

    build, calibrate = learning.build, learning.calibrate
    monkeypatch.setattr(learning, "build", catch)
    monkeypatch.setattr(learning, "calibrate", after)
    return lambda: [(model, state) for model, state in zip(built, before, strict=True)]


def changed(model, before):
    """Names of the trunk's tensors that are no longer what they were."""
    return {name for name, tensor in model.trunk.state_dict().items() if not torch.equal(tensor, before[name])}


def assert_sound(result, epochs, pictures=2):
    assert result.metrics["n"] == 2 * pictures
    assert 0 <= result.metrics["accuracy"] <= 1
    assert result.metrics["accuracy"] * 2 * pictures == pytest.approx(round(result.metrics["accuracy"] * 2 * pictures))
    upper, lower = result.right["accuracy"]
    assert (len(upper), len(lower)) == (pictures, pictures)
    assert (upper + lower).count("1") == round(result.metrics["accuracy"] * 2 * pictures)
    assert math.isfinite(result.metrics["loss"])
    assert math.isfinite(result.metrics["margin"])
    assert len(result.history) == epochs
    assert result.notes["device"] == "cpu"


class TestRuns:
    def test_the_validation_split_has_an_accuracy_of_its_own(self, run):
        shared = run("init=frozen-random", "optim=probe", "data.splits=shared").metrics
        assert shared["accuracy_validation"] == shared["accuracy"]
        assert run("init=frozen-random", "border=4000").metrics["accuracy_validation"] == 0.5

    def test_scratch_trains_every_weight_and_statistic(self, run, models):
        assert_sound(run("init=scratch", "optim.epochs=1"), 1)
        ((model, before),) = models()
        used = {name for name in before if not name.startswith("network.fc.")}  # its own classifier is cut off
        assert changed(model, before) == used

    @pytest.mark.parametrize("optim", ["sgd", "probe"])
    @pytest.mark.parametrize("conv", ["same", "full"])
    def test_frozen_means_frozen(self, run, models, optim, conv):
        epochs = 3 if optim == "sgd" else 1
        limit = ["optim.epochs=3"] if optim == "sgd" else []
        result = run("init=frozen-random", f"optim={optim}", f"conv={conv}", "border=16", *limit)
        assert_sound(result, epochs)
        ((model, before),) = models()
        assert changed(model, before) == set()
        assert before  # something was compared
        assert set(result.weights) == {"weight", "bias"}

    def test_a_checkpoint_is_used_as_it_is(self, run, models, tmp_path):
        from equivariance.models.trunk import trunk

        torch.manual_seed(5)
        state = trunk("torchvision", "resnet18").network.state_dict()
        for name, tensor in state.items():
            if name.endswith("running_mean"):
                tensor += 0.1
        torch.save(state, tmp_path / "w.pth")
        run("arch=resnet18", "init=frozen-pretrained", f"init.checkpoint={tmp_path}/w.pth", "optim=probe")
        ((model, _),) = models()
        ours = model.trunk.network.state_dict()
        assert all(torch.equal(ours[name], tensor) for name, tensor in state.items())

    def test_the_released_protocol_adapts_statistics_but_no_weights(self, run, models):
        result = run("protocol=released", "init=frozen-random", "optim.epochs=1", "border=16")
        assert_sound(result, 1)
        ((model, before),) = models()
        kinds = {name.rpartition(".")[2] for name in changed(model, before)}
        assert kinds == {"running_mean", "running_var", "num_batches_tracked"}

    def test_the_released_border_is_the_first_padding(self, run, models):
        for border in (0, 16):
            run("arch=resnet18", "protocol=released", "init=frozen-random", "optim.epochs=1", f"border={border}")
        paddings = [model.trunk.network.conv1.padding for model, _ in models()]
        assert paddings == [(3, 3), (16, 16)]

    def test_an_average_is_another_network_than_a_maximum(self, run):
        one, other = (run("optim=probe", f"experiment.pooling={p}", "border=16") for p in ("max", "avg"))
        assert one.metrics != other.metrics

    def test_skipped_pictures_are_noted_in_a_line_each(self, run, tmp_path):
        from tests.data.test_folder import draw

        for n in range(7):
            draw(tmp_path / "p" / f"{n}.png", n)
        (tmp_path / "p" / "1.png").write_bytes(b"no picture")
        Image.fromarray(np.full((4, 4), 2, np.float32)).save(tmp_path / "p" / "0.tif")
        result = run("data=folder", f"data.root={tmp_path}/p", "optim=probe", "data.pictures=2")
        assert [line.partition(": ")[0] for line in result.notes["skipped"].split("\n")] == ["0.tif", "1.png"]

    def test_a_gpu_that_is_not_there_is_refused(self, config):
        if torch.cuda.device_count() > 7:
            pytest.skip("eight GPUs here")
        with pytest.raises(UserError, match=r"device=cuda:7: \d GPUs here; allowed: auto, cpu"):
            compute.run(config("device=cuda:7", "data.pictures=2"))


class TestRepetition:
    @pytest.mark.parametrize(
        "overrides",
        [
            ("init=scratch", "optim.epochs=1"),
            ("init=frozen-random", "optim.epochs=3"),
            ("optim=probe", "border=16"),
        ],
        ids=" ".join,
    )
    def test_the_same_config_gives_the_same_numbers_to_the_bit(self, config, tmp_path, monkeypatch, overrides):
        results = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)  # nothing kept by the first run helps the second
            torch.rand(7)
            results.append(compute.run(config(*TINY, *overrides)))
        one, other = results
        assert one.metrics == other.metrics
        assert one.history == other.history
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)

    def test_another_seed_gives_other_numbers(self, run):
        assert run("optim=probe", "seed=0").metrics != run("optim=probe", "seed=1").metrics


class TestAugmentation:
    def test_flip_adds_each_training_picture_mirrored_and_touches_nothing_else(self, run, config, models, workdir):
        plain = run("optim=probe")
        kept = set(workdir.glob("runs/.features/*"))
        flipped = run("optim=probe", "data.augment=flip")
        assert len(set(workdir.glob("runs/.features/*")) - kept) == 1  # validation and test share what was kept
        assert flipped.metrics["n"] == plain.metrics["n"]
        assert flipped.history != plain.history
        (_, one), (_, other) = models()
        assert all(torch.equal(one[name], other[name]) for name in one)

    @pytest.mark.parametrize("choices", [("optim=probe",), ("init=scratch", "optim.epochs=1")])
    def test_mirrored_pictures_lie_where_the_others_do(self, config, workdir, choices):
        found = config(*TINY, "data.augment=flip", "engine=dense", *choices)
        pictures, _ = learning.load(found, torch.device("cpu"))
        fitted = learning.learn(
            found, place(found), learning.network(found, place(found), torch.device("cpu")), pictures
        )
        train = fitted.examples["train"]
        assert train.labels.tolist() == [0] * 4 + [1] * 4
        assert [len(fitted.examples[s]) for s in ("validation", "test")] == [4, 4]
        if found.init.fixed:
            return
        images, source = train.inputs(torch.arange(8)), pictures["train"]
        for number, image in enumerate(images):
            start = 32 * (number // 4)
            shown = image[:, start : start + 24, start : start + 24]
            picture = source[number % 2]
            assert torch.equal(shown, picture.flip(2) if number % 4 > 1 else picture)
            assert image.abs().sum() == pytest.approx(picture.abs().sum())


class TestTheory:
    """Science 4.7: a leak needs a unit that sees picture and edge at once."""

    def test_bagnet_cannot_tell_beyond_its_receptive_field(self, run):
        result = run("arch=bagnet33", "optim=probe", "border=32")
        assert result.metrics["accuracy"] == 0.5

    def test_bagnet_can_tell_at_the_border(self, run):
        result = run("arch=bagnet33", "optim=probe", "border=0", "data.pictures=6")
        assert result.metrics["accuracy"] > 0.7

    def test_a_resnet_can_tell_at_the_border(self, run):
        assert run("arch=resnet18", "optim=probe", "border=0", "data.pictures=8").metrics["accuracy"] >= 0.8


class TestCalibration:
    def test_statistics_do_not_depend_on_border_or_convolution(self, run, models):
        for border, conv in ((0, "same"), (16, "same"), (0, "full")):
            run("optim=probe", f"border={border}", f"conv={conv}")
        (_, first), (_, second), (_, third) = models()
        for name in first:
            assert torch.equal(first[name], second[name]), name
            assert torch.equal(first[name], third[name]), name

    def test_statistics_are_those_of_the_training_pictures(self, run, models):
        run("arch=resnet18", "optim=probe")
        ((model, before),) = models()
        mean, var = before["network.bn1.running_mean"], before["network.bn1.running_var"]
        assert mean.abs().max() > 1e-3
        assert not torch.allclose(var, torch.ones_like(var))
        assert all(m.momentum == 0.1 for m in model.trunk.modules() if isinstance(m, torch.nn.BatchNorm2d))
