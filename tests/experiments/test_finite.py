"""NaN and infinity end a run, wherever they come from: 'cannot tell position' is never said of broken numbers."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from equivariance.decoding import decode
from equivariance.errors import NotFinite, UserError
from equivariance.experiments import compute
from equivariance.experiments.impulse import run as impulse
from equivariance.experiments.location import features
from equivariance.experiments.location.structure import place
from equivariance.experiments.quadrant import run as quadrant
from equivariance.experiments.result import Result
from equivariance.job import prepare
from equivariance.models.trunk import trunk
from equivariance.probe import fit_probe
from equivariance.train import Examples, evaluate
from sweeps.launcher.attempt import attempt
from sweeps.records import finished

CPU = torch.device("cpu")
NET = ("device=cpu", "arch=torchvision", "arch.name=squeezenet1_1", "init=frozen-pretrained")
TINY = (*NET, "experiment.picture=24", "experiment.canvas=88", "data.pictures=2")


def checkpoint(path, value=math.nan):
    state = trunk("torchvision", "squeezenet1_1").network.state_dict()
    state["features.3.squeeze.weight"].fill_(value)
    save_file({n: t.contiguous() for n, t in state.items()}, path)
    return f"init.checkpoint={path}"


@pytest.mark.parametrize("experiment", ["quadrant", "leak_distance"])
@pytest.mark.parametrize("conv", ["same", "unbounded"])
def test_weights_that_are_not_finite_are_refused_also_where_theory_needs_none(config, workdir, experiment, conv):
    """With conv=unbounded every border is certified."""
    bad = checkpoint(workdir / "bad.safetensors")
    run = prepare(config(f"experiment={experiment}", *TINY, f"conv={conv}", bad))
    outcome = attempt(run, lambda row: None)
    assert (outcome.status, outcome.mistake) == ("failed", True)
    assert outcome.reason.startswith(f"{bad}: features.3.squeeze.weight has 1024 of 1024 numbers")
    assert list(finished(workdir / "runs")) == []


def test_a_certified_run_counts_for_the_weights_of_its_own_network(config, workdir):
    state = {"conv1.weight": torch.zeros(64, 3, 7, 7)}
    save_file(state, workdir / "other.safetensors")
    with pytest.raises(UserError, match="these weights are of another network"):
        compute.run(config(*TINY, "conv=unbounded", "init.checkpoint=other.safetensors"))
    assert compute.run(config(*TINY, "conv=unbounded", checkpoint(workdir / "good.safetensors", 0.5))).notes


@pytest.mark.parametrize("experiment", ["quadrant", "leak_distance"])
def test_features_that_are_not_finite_fail_the_run_and_are_not_kept(config, workdir, experiment):
    """Every weight is finite; what they make of a picture is not."""
    huge = checkpoint(workdir / "huge.safetensors", 3e38)
    run = prepare(config(f"experiment={experiment}", *TINY, huge))
    outcome = attempt(run, lambda row: None)
    assert (outcome.status, outcome.mistake, outcome.settled) == ("failed", False, True)
    assert "features" in outcome.reason
    assert outcome.reason.endswith("numbers are not finite")
    assert list(workdir.rglob("result.json")) == list(workdir.rglob("*.features/*")) == []
    assert "not finite" in (run.record.path / "run.log").read_text()
    assert attempt(run, lambda row: None).status == "failed"  # not reused


@pytest.mark.parametrize(
    "overrides",
    [
        (*TINY, "init=scratch", "optim=sgd", "optim.lr=100", "optim.epochs=30", "optim.batch=2"),
        (*TINY, "optim=sgd", "optim.lr=100", "experiment=leak_distance", "init=scratch", "optim.batch=2"),
    ],
    ids=["quadrant", "leak distance"],
)
def test_training_that_diverges_fails_the_run(config, workdir, overrides):
    with pytest.raises(NotFinite, match="not finite"):
        compute.run(config(*overrides))


@pytest.mark.parametrize("experiment", ["rook", "red_green"])
def test_training_of_the_controlled_experiments_that_diverges_fails_the_run(config, monkeypatch, experiment):
    from equivariance.experiments.red_green import run as red_green
    from equivariance.experiments.rook import run as rook

    module = {"rook": rook, "red_green": red_green}[experiment]
    controlled = module.controlled

    def broken(*arguments):
        model = controlled(*arguments)
        with torch.no_grad():
            model.head.bias.fill_(math.inf)
        return model

    monkeypatch.setattr(module, "controlled", broken)
    with pytest.raises(NotFinite, match="class scores"):
        compute.run(config(f"experiment={experiment}", "device=cpu", "conv=same"))


def test_an_experiment_without_training_is_held_to_it_too(config, monkeypatch):
    monkeypatch.setattr(impulse, "responses", lambda *a: torch.full((2, 5, 5), math.nan))
    with pytest.raises(NotFinite, match=r"^not finite: class_1 nan, class_2 nan$"):
        compute.run(config("experiment=impulse", "device=cpu"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", ["metrics", "history", "weights"])
def test_a_result_is_checked_in_every_part(part, value):
    parts = {"metrics": {"accuracy": 0.5}, "history": [{"loss": 1.0}, {"loss": 2.0}], "weights": {"w": torch.ones(3)}}
    Result(**parts).check()
    bad = {"metrics": {"loss": value}, "history": [{"loss": 1.0}, {"loss": value}], "weights": {"w": torch.ones(3)}}
    bad["weights"]["w"][1] = value
    said = {"metrics": f"loss {value}", "history": f"loss {value} in row 2 of the history", "weights": "w: 1 of 3"}
    with pytest.raises(NotFinite, match=said[part]):
        Result(**parts | {part: bad[part]}).check()


def test_nothing_is_decoded_from_features_or_a_head_that_are_not_finite():
    head, good = nn.Linear(3, 2), torch.randn(8, 3)
    for bad in (math.nan, math.inf):
        broken = good.clone()
        broken[5, 1] = bad
        with pytest.raises(NotFinite, match="the head's scores"):
            decode(head, broken, 0)
    head.weight.data[0, 0] = math.nan
    with pytest.raises(NotFinite, match="the head's scores"):
        decode(head, good, 0)


def test_a_probe_whose_weights_overflow_says_so(config):
    """Features that differ by so little that only weights beyond float32 could read them."""
    x = torch.tensor([[0.0], [1.0]]).repeat(4, 1) * 1e-44
    with pytest.raises(NotFinite, match="weight of the probe"):
        fit_probe(nn.Linear(1, 2), x, torch.tensor([0, 1]).repeat(4), config("optim=probe").optim)


def test_scores_that_are_not_finite_are_no_accuracy():
    data = Examples(torch.tensor([0, 1]), torch.tensor([[1.0, math.nan], [0.0, 1.0]]).__getitem__)
    with pytest.raises(NotFinite, match=r"^class scores: 1 of 4 numbers are not finite$"):
        evaluate(nn.Identity(), data, 2)


def test_kept_features_that_are_not_finite_are_made_anew(config, workdir):
    here = config(*TINY, "init=frozen-random")
    pictures, _ = quadrant.load(here, CPU)
    model = quadrant.network(here, place(here), CPU, pictures["train"]).eval()
    folder = workdir / "kept"
    whole = (folder, model, features.digest(model), place(here), pictures["test"], "dense", "test features")
    found = features.cached(*whole)
    (file,) = folder.iterdir()
    broken = load_file(file)["features"].clone()
    broken[1, 2] = math.nan
    save_file({"features": broken}, file)
    assert torch.equal(features.cached(*whole), found)
    assert torch.equal(load_file(file)["features"], found)
