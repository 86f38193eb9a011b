"""The canvas engine and dense PyTorch give the same run: accuracies, and in float64 the losses of every epoch."""

import pytest
import torch

from equivariance.experiments import compute

SMALL = (
    "arch=resnet8",
    "data.pictures=2",
    "device=cpu",
    "experiment.picture=16",
    "experiment.canvas=48",
    "border=16",
    "optim.epochs=2",
)


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("init", "conv"),
    [
        ("scratch", "same"),
        pytest.param("scratch", "full", marks=pytest.mark.slow),
        pytest.param("frozen-random", "same", marks=pytest.mark.slow),
        ("frozen-random", "full"),
    ],
)
def test_both_engines_train_alike_epoch_by_epoch(config, workdir, double, init, conv):
    found = []
    for engine in ("dense", "canvas"):
        choices = (f"init={init}", f"conv={conv}", f"engine={engine}", f"runs={engine}")
        found.append(compute.run(config(*SMALL, *choices)))
        assert found[-1].notes["engine"] == engine
    dense, canvas = found
    assert canvas.metrics["accuracy"] == dense.metrics["accuracy"]
    assert canvas.metrics["loss"] == pytest.approx(dense.metrics["loss"], rel=1e-8)
    for ours, theirs in zip(canvas.history, dense.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-8)


def test_a_second_run_with_another_head_computes_no_feature_again(config, workdir, monkeypatch):
    from equivariance.experiments.location import features

    first = compute.run(config(*SMALL, "init=frozen-random"))
    monkeypatch.setattr(features, "pooled", lambda *a, **k: pytest.fail("features were computed again"))
    again = compute.run(config(*SMALL, "init=frozen-random"))
    assert again.metrics == first.metrics
    other = compute.run(config(*SMALL[:-1], "init=frozen-random", "optim=probe"))
    assert other.metrics != first.metrics


def test_a_torn_feature_file_is_made_anew(config, workdir):
    first = compute.run(config(*SMALL, "init=frozen-random"))
    files = list(workdir.glob("runs/.features/*"))
    assert len(files) == 3
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    assert compute.run(config(*SMALL, "init=frozen-random")).metrics == first.metrics


def test_a_small_network_with_gates_runs_dense_where_that_is_cheaper_and_says_so(config, workdir):
    choices = ("arch=torchvision", "arch.name=mobilenet_v3_small", "init=frozen-random", "optim=probe")
    assert compute.run(config(*SMALL[:-1], *choices)).notes["engine"] == "dense"


def test_a_certified_run_computes_nothing(config, workdir, monkeypatch):
    from equivariance.experiments.location import learning

    monkeypatch.setattr(learning, "build", lambda *a, **k: pytest.fail("a network was built"))
    result = compute.run(config("arch=bagnet33", "border=32", "data.pictures=7"))
    gmacs = result.metrics["gmacs"]
    assert result.metrics == {"accuracy": 0.5, "accuracy_validation": 0.5, "n": 14.0, "gmacs": gmacs}
    assert gmacs > 0
    assert result.notes["certified"] == "yes"
