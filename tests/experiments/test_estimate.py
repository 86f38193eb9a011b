"""How long a sweep will take: each border by its own measurement, what is shared counted once."""

import pytest
import torch

from equivariance.canvas import CanvasUnsupported
from equivariance.errors import UserError
from equivariance.experiments.location import estimate

CPU = torch.device("cpu")


@pytest.fixture
def measured(monkeypatch):
    """A network whose time grows fast up to border 64 and hardly beyond; and the borders at which it was measured."""
    borders = []

    def forward(config, device):
        borders.append(config.border)
        return 1.0 + min(config.border, 64) + config.border / 1000

    monkeypatch.setattr(estimate, "_forward", forward)
    return borders


def test_each_border_of_a_grid_is_measured_once(config, measured):
    borders = (0, 16, 32, 64, 128, 256, 512)
    runs = [config(f"border={b}", f"seed={s}", "data.pictures=10") for b in borders for s in (0, 1)]
    passes = 3 * 10 * 2  # splits, pictures, seeds
    expected = passes * sum(1.0 + min(b, 64) + b / 1000 for b in borders)
    assert estimate.seconds(runs, CPU) == pytest.approx(expected)
    assert sorted(measured) == list(borders)


def test_of_many_borders_eight_are_measured_both_ends_among_them(config, measured):
    found = estimate.seconds([config(f"border={b}", "data.pictures=10") for b in range(0, 300, 10)], CPU)
    assert len(measured) == 8
    assert {min(measured), max(measured)} == {0, 290}
    assert found == pytest.approx(30 * sum(1.0 + min(b, 64) + b / 1000 for b in range(0, 300, 10)), rel=0.05)


def test_runs_that_share_their_features_count_once(config, measured):
    one, more = [config(f"optim.lr={lr}") for lr in (0.1,)], [config(f"optim.lr={lr}") for lr in (0.1, 0.01, 0.001)]
    assert estimate.seconds(more, CPU) == estimate.seconds(one, CPU) > 0


@pytest.mark.parametrize(
    "error", [UserError("no such network"), CanvasUnsupported("fft", ""), torch.OutOfMemoryError("of 80 GB")]
)
def test_a_network_that_cannot_be_measured_counts_as_nothing(config, monkeypatch, error):
    def broken(config, device):
        if config.arch.name == "bagnet33":
            raise error
        return 1.0

    monkeypatch.setattr(estimate, "_forward", broken)
    assert estimate.seconds([config("arch=bagnet33")], CPU) == 0
    assert estimate.seconds([config("arch=bagnet33"), config("arch=resnet18")], CPU) > 0


@pytest.mark.parametrize("error", [TypeError, AttributeError, RuntimeError, KeyError])
def test_a_fault_in_the_measurement_is_seen(config, monkeypatch, error):
    def broken(config, device):
        raise error

    monkeypatch.setattr(estimate, "_forward", broken)
    with pytest.raises(error):
        estimate.seconds([config()], CPU)
