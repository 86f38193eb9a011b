"""Multiply-adds as golden numbers, and the choice they lead to."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from equivariance.canvas import CanvasUnsupported, cost

from .oracle import scene


def test_multiply_adds_of_one_convolution_by_hand():
    """3×3, 3 to 4 channels: windows of 58², once for both places of 2 pictures; a ground of 5×5 on a gathered 7×7."""
    found = cost(nn.Conv2d(3, 4, 3, padding=1).double(), scene(32, n=2).canvas())
    assert found.dense.multiply_adds == 4 * 184**2 * 4 * 27
    assert found.canvas.multiply_adds == (2 * 58**2 + 3**2) * 4 * 27


@pytest.mark.parametrize(
    ("arch", "border", "ratio"), [("resnet18", 0, 1.305), ("resnet18", 512, 33.17), ("bagnet33", 512, 463.58)]
)
def test_multiply_adds_of_networks(arch, border, ratio):
    """Golden: dense over canvas, 2 pictures at both places."""
    from .test_architectures import network

    assert cost(network(arch, "same").eval(), scene(border, n=2).canvas()).ratio == pytest.approx(ratio, rel=1e-3)


def test_the_cheaper_of_the_two_runs():
    narrow, wide = nn.Conv2d(3, 64, 5).double(), nn.Conv2d(3, 2, 119).double()
    x = scene(0, n=4).canvas()
    assert cost(narrow, x).engine == "canvas"
    assert cost(wide, x).engine == "dense"


def test_counting_leaves_the_network_alone():
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)).double().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    cost(net, scene().canvas())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_counting_refuses_what_running_refuses():
    with pytest.raises(CanvasUnsupported):
        cost(nn.Unfold(3), scene().canvas())


def test_calls_count_where_there_is_little_to_compute():
    """One share of multiply-adds saved is worth it on many pictures, not on one; on a CPU sooner than on a GPU."""
    net = nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(9)))
    few, many = (cost(net, scene(0, n=n, dtype=torch.float32).canvas()) for n in (1, 500))
    assert few.engine == "dense"
    assert many.engine == "canvas"
    assert few.ratio > 1.25
    assert replace(many, device="cuda").engine == "dense"
