"""Each experiment takes its own network, data and recipe, and says so in one line where it is given another."""

import pytest

from equivariance.errors import UserError
from equivariance.experiments.red_green.config import RedGreenRun
from sweeps.experiments import EXPERIMENTS, schema


@pytest.mark.parametrize("name", EXPERIMENTS.names())
def test_an_experiment_brings_what_it_needs(config, name):
    found = config(f"experiment={name}")
    assert type(found) is schema(name)
    own = {"impulse", "rook", "red_green"}  # networks and data of one experiment alone
    assert (found.arch.name == found.data.name == name) == (name in own)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["experiment=red_green", "data=photos"], "data.name=photos: allowed: red_green with experiment=red_green"),
        (["experiment=rook", "arch=resnet18"], "arch.library=torchvision: allowed: controlled with experiment=rook"),
        (["experiment=rook", "arch=red_green"], "arch.name=red_green: allowed: rook with experiment=rook"),
        (["experiment=rook", "optim=sgd"], "optim.name=sgd: allowed: plain_sgd with experiment=rook"),
        (["experiment=rook", "init=frozen-random"], "init.name=frozen-random: allowed: scratch with experiment=rook"),
        (["experiment=rook", "init.checkpoint=x"], "init.checkpoint=x: allowed: null with experiment=rook"),
        (["experiment=red_green", "engine=canvas"], "engine=canvas: allowed: auto | dense with experiment=red_green"),
        (["experiment=red_green", "tolerance=1e-6"], "tolerance=1e-06: allowed: a number from 0 to 0 with"),
        (["experiment=impulse", "seed=1"], "seed=1: allowed: 0 with experiment=impulse"),
        (["experiment=impulse", "experiment.kernel=4"], "experiment.kernel=4: allowed: odd numbers up to data.side"),
        (["experiment=impulse", "experiment.kernel=7"], "experiment.kernel=7: allowed: odd numbers up to data.side"),
        (["experiment=impulse", "experiment.tap=left"], "experiment.tap=left: allowed: top-left | centre"),
        (["experiment=red_green", "experiment.shifts=19"], "experiment.shifts=19: allowed: an integer from 16 to 18"),
        (["experiment=red_green", "data.test=1"], "data.test=1: allowed: an integer from 2 to 4000"),
        (["experiment=leak_distance", "border=16"], "border=16: allowed: 0 with experiment=leak_distance"),
        (["experiment=leak_distance", "experiment.border_as=padding"], "experiment.border_as=padding: allowed: pixels"),
        (
            ["experiment=leak_distance", "experiment.resolution=0"],
            "experiment.resolution=0: allowed: an integer from 1",
        ),
        (
            ["experiment=leak_distance", "experiment.confidence=1.0"],
            "experiment.confidence=1.0: allowed: a number from",
        ),
        (["experiment=leak_distance", "init=scratch"], "optim=probe: needs features that do not change"),
        (["experiment=leak_distance", "arch=rook"], "arch.library=controlled: allowed: equivariance | torchvision"),
        (["experiment=leak_distance", "data.splits=shared"], "data.splits=shared: allowed: disjoint with experiment"),
        (["+experiment.limit=64"], "experiment.limit: no such key"),
        (["data=rook"], "data.name=rook: allowed: photos | folder | imagenet with experiment=quadrant"),
        (["arch=rook"], "arch.library=controlled: allowed: equivariance | torchvision"),
        (["optim=adadelta"], "optim.name=adadelta: allowed: sgd | probe with experiment=quadrant"),
    ],
)
def test_what_belongs_to_another_experiment_is_refused(config, overrides, said):
    with pytest.raises(UserError) as caught:
        config(*overrides)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_the_leak_distance_takes_the_quadrant_task_and_a_converged_probe(config):
    quadrant, found = config("optim=probe"), config("experiment=leak_distance")
    task = {"picture", "canvas", "background", "pooling", "border_as"}
    assert found.experiment.model_dump(include=task) == quadrant.experiment.model_dump(include=task)
    assert found.optim == quadrant.optim
    assert config("experiment=leak_distance", "init=scratch", "optim=sgd").optim.name == "sgd"
    released = config("experiment=leak_distance", "protocol=released", "optim=sgd", "data.splits=disjoint")
    assert (released.experiment.border_as, released.experiment.pooling) == ("pixels", "released")


def test_the_protocol_chooses_by_named_values(config):
    paper, released = (config("experiment=red_green", f"protocol={p}") for p in ("paper", "released"))
    assert (paper.data.splits, paper.optim.shuffle) == ("disjoint", True)
    assert (released.data.splits, released.optim.shuffle) == ("shared", False)
    assert isinstance(paper, RedGreenRun)
    paper, released = (config("experiment=rook", f"protocol={p}").optim for p in ("paper", "released"))
    assert (paper.momentum, paper.epochs) == (0.0, 1500)
    assert (released.momentum, released.epochs) == (0.9, 100)
