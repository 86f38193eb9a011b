"""Trimming to a stated tolerance: off by default, bounded where on, and only without gradients."""

import pytest
import torch
from torch import nn

from equivariance.canvas import Canvas

from .oracle import opened, relative_error, scene


@pytest.fixture(scope="module")
def fading():
    """Kernels that let the rim of every window fade to nothing."""
    torch.manual_seed(0)
    layers = []
    for i in range(12):
        conv = nn.Conv2d(3 if i == 0 else 8, 8, 5, 1, 2)
        with torch.no_grad():
            conv.weight *= torch.exp(-3.0 * (torch.arange(5) - 2).abs())[:, None] * torch.exp(
                -3.0 * (torch.arange(5) - 2).abs()
            )
            conv.weight *= 3
        layers += [conv, nn.ReLU()]
    return nn.Sequential(*layers).double().eval()


def cells(canvas):
    return sum(window.tensor.shape[2] * window.tensor.shape[3] for window in canvas.windows)


@pytest.mark.parametrize("tolerance", [1e-9, 1e-7, 1e-5])
def test_fewer_cells_and_an_error_of_the_stated_order(fading, tolerance):
    x = scene(20, n=1)
    with torch.inference_mode():
        exact, trimmed = fading(x.canvas()), fading(x.canvas(tolerance=tolerance))
        wanted = fading(x.painted())
    assert relative_error(opened(exact), wanted) < 1e-12
    assert 0 < relative_error(trimmed.dense(), wanted) < 100 * tolerance
    assert isinstance(trimmed, Canvas)
    assert not isinstance(exact, Canvas) or cells(trimmed) < cells(exact)


def test_places_go_on_sharing(fading):
    x = scene(20, n=1)
    with torch.inference_mode():
        exact, trimmed = fading(x.canvas()), fading(x.canvas(tolerance=1e-6))
    assert not isinstance(exact, Canvas) or len(exact.windows) == 2
    assert len(trimmed.windows) == 1
    assert sum(trimmed.ground.rows) == sum(trimmed.ground.cols) == 160


def test_gradients_are_never_trimmed(fading):
    x = scene(20, n=1)
    assert relative_error(opened(fading(x.canvas(tolerance=1e-5))), fading(x.painted())) < 1e-12


def test_a_picture_that_is_all_background_costs_one_cell(fading):
    x = scene(20, n=1)
    x.pictures = x.colour[None, :, None, None].expand(1, 3, 56, 56).clone()
    with torch.inference_mode():
        trimmed = fading(x.canvas(tolerance=1e-9))
        assert cells(trimmed) == len(trimmed.windows)
        assert relative_error(trimmed.dense(), fading(x.painted())) < 1e-8


def test_nothing_is_dropped_next_to_an_infinity():
    x = scene(20, n=1)
    x.pictures[0, 0, 30, 30] = float("inf")
    conv = nn.Conv2d(3, 3, 3, padding=1).double()
    with torch.inference_mode():
        found, wanted = conv(x.canvas(tolerance=1e-5)).dense(), conv(x.painted())
    assert torch.equal(found.isfinite(), wanted.isfinite())
    assert torch.allclose(found[wanted.isfinite()], wanted[wanted.isfinite()], atol=1e-12)
