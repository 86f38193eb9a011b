"""How strided layers sample, in the experiments that ask where a picture lies."""

import pandas as pd
import pytest

from equivariance.config import scientific
from equivariance.errors import UserError
from equivariance.experiments import compute
from equivariance.experiments.leak_distance.artefact import table as distances
from equivariance.experiments.location import learning
from equivariance.experiments.location.structure import place, structure
from equivariance.experiments.quadrant.artefact import table as accuracies

TINY = ("arch=resnet8", "data.pictures=2", "device=cpu", "experiment.picture=24", "experiment.canvas=56", "optim=probe")
BOTH = ("conv=unbounded", "downsample=polyphase")
APART = "experiment.canvas=57"  # the places then differ by 33 pixels, in a network of stride 32


@pytest.mark.parametrize("canvas", [56, 57, 66, 71])
def test_without_edge_and_phase_any_two_places_are_certified(config, workdir, canvas):
    result = compute.run(config(*TINY, *BOTH, f"experiment.canvas={canvas}"))
    assert result.metrics["accuracy"] == 0.5
    assert result.notes["certified"] == "yes"
    assert "gmacs" not in result.metrics  # which entries are computed on depends on what is seen


@pytest.mark.parametrize(
    "choice", [("conv=unbounded",), ("downsample=polyphase",), ("conv=unbounded", "downsample=blur")]
)
def test_one_remedy_alone_is_not_certified_where_places_are_out_of_phase(config, choice):
    run = config(*TINY, *choice, APART)
    assert not structure(run).certified(place(run))
    assert structure(run).bound(place(run)) is None


def test_what_is_certified_is_so_when_it_is_computed(config, workdir):
    """The same network with and without the stride's leak, places out of phase: its features differ, or do not."""
    found = {}
    for name in ("strided", "polyphase"):
        run = config(*TINY, "conv=unbounded", f"downsample={name}", APART, "arch=resnet8")
        pictures, _ = learning.load(run, "cpu")
        model = learning.network(run, place(run), "cpu", pictures["train"]).eval()
        upper, lower = model.features(place(run).both(pictures["test"]).dense()).chunk(2)
        found[name] = ((upper - lower).abs().max() / upper.abs().max()).item()
    assert found["polyphase"] < 1e-5 < 1e-3 < found["strided"]


def test_a_blurred_network_sees_further_and_its_bound_lies_further_out(config):
    sharp, blurred = (config(*TINY, f"downsample={name}") for name in ("strided", "blur"))
    assert structure(sharp).bound(place(sharp)) < structure(blurred).bound(place(blurred))


def test_the_leak_distance_is_none_at_any_places(config, workdir):
    result = compute.run(config("experiment=leak_distance", *TINY, *BOTH, APART))
    assert (result.metrics["leak_distance"], result.metrics["bound"]) == (0, 0)
    assert result.notes["certified"] == "yes"


def test_every_sampling_starts_from_the_same_calibrated_network(config, workdir):
    states = []
    for name in ("strided", "blur", "polyphase"):
        run = config(*TINY, f"downsample={name}", "arch=resnet8")
        pictures, _ = learning.load(run, "cpu")
        states.append(learning.network(run, place(run), "cpu", pictures["train"]).trunk.state_dict())
    assert all((states[0][key] == other[key]).all() for other in states[1:] for key in other)


@pytest.mark.parametrize("experiment", ["quadrant", "leak_distance"])
def test_strided_runs_keep_the_identity_that_they_had_before_there_was_a_choice(config, experiment):
    strided, blurred = (scientific(config(f"experiment={experiment}", *o), {}) for o in ((), ("downsample=blur",)))
    assert "downsample" not in strided
    assert blurred == {**strided, "downsample": {"name": "blur", "size": 3}}


def test_earlier_runs_share_a_row_with_strided_ones():
    base = {"params.arch": "resnet18", "params.init": "frozen-random", "params.conv": "same", "params.border": 0}
    metrics = {"metrics.accuracy": 0.9, "metrics.n": 4.0, "metrics.leak_distance": 8.0}
    runs = [base | metrics | {"params.seed": 0}]
    for seed, name in ((1, "strided"), (0, "polyphase"), (1, "polyphase")):
        runs.append(base | metrics | {"params.seed": seed, "params.downsample": name, "params.downsample.size": 1})
    for table in (accuracies, distances):
        found = table(pd.DataFrame(runs))
        assert dict(zip(found["downsample"], found["n"], strict=True)) == {"strided": 2, "polyphase": 2}
    assert "downsample" not in accuracies(pd.DataFrame(runs[:2]))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("downsample=polyphase", "engine=canvas"), "engine=canvas: allowed: auto . dense with downsample=polyphase"),
        (("downsample.size=3",), "downsample.size=3: allowed: 1 but with downsample=blur"),
        (("downsample.name=max",), "downsample.name=max: allowed: strided . blur . polyphase"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(config, overrides, said):
    with pytest.raises(UserError, match=f"^{said}"):
        config(*TINY, *overrides)
