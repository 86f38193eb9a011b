"""Gradients of the two custom functions by finite differences, and the cases in which gradients are delicate."""

import numpy as np
import pytest
import torch
from torch import nn

from equivariance.canvas.normalisation import BatchNorm
from equivariance.canvas.pieces import Embed

from .oracle import Scene, assert_equal, outcome


def test_embed():
    window, around = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3, 4, 2), (1, 3, 6, 7))
    )
    for top, left in ((0, 0), (2, 5), (1, 3)):
        assert torch.autograd.gradcheck(lambda w, a, y=top, x=left: Embed.apply(w, a, y, x), (window, around))


def test_batch_norm_over_weighted_parts():
    parts = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3, 4, 2), (1, 3, 2, 3))]
    weight, bias = (torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    counts = [2, np.array([[5, 0, 1], [2, 2, 3]])]
    for w, b in ((weight, bias), (None, None)):
        assert torch.autograd.gradcheck(
            lambda *given: BatchNorm.apply(*given[:2], 1e-5, counts, *given[2:])[2:], (w, b, *parts)
        )


def test_cells_that_stand_for_nothing_do_not_count_whatever_they_hold():
    part = torch.randn(1, 2, 2, 2, dtype=torch.float64)
    part[:, :, 0, 1] = float("inf")
    counts = np.array([[3, 0], [1, 2]])
    mean, var, _ = BatchNorm.apply(None, None, 1e-5, [counts], part)
    cells = torch.cat([part[0, :, 0, :1].repeat(1, 3), part[0, :, 1, :1], part[0, :, 1, 1:].repeat(1, 2)], 1)
    assert torch.allclose(mean, cells.mean(1))
    assert torch.allclose(var, cells.var(1, correction=0))


def _scene(size=(30, 28), at=((2, 3), (20, 21)), side=5):
    pictures = torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    return Scene(pictures, size, [corner for corner in at for _ in range(2)], torch.tensor([1.0, -0.5, 0.2]).double())


def _net(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers).double().train()


def test_a_gradient_that_is_zero_in_theory():
    """A bias before batch norm: both sides give rounding, of no size in common."""
    net = _net(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3))
    assert_equal(net, _scene())
    gradients = outcome(net, _scene(), True).gradients
    assert gradients[2].abs().max() < 1e-12 * gradients[1].abs().max()


def test_a_gradient_where_max_pools_tie():
    """Background ties with itself everywhere, plateaus of ReLU and ReLU6 with each other: any choice is the same."""
    pools = (nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(2, 2, ceil_mode=True))
    assert_equal(_net(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *pools, nn.Conv2d(4, 2, 3)), _scene())
    assert_equal(_net(nn.Conv2d(3, 4, 3, 2), nn.ReLU6(), pools[0], nn.BatchNorm2d(4), nn.ReLU(), pools[1]), _scene())


def test_batch_norm_over_a_constant_map():
    """No picture in sight: the variance is 0, and what dense makes of it is rounding times 1/sqrt(eps)."""
    net = _net(nn.Conv2d(3, 4, 1, 4), nn.BatchNorm2d(4), nn.GELU(), nn.Conv2d(4, 2, 3))
    scene = _scene((33, 33), ((1, 1), (1, 29)), side=3)
    found = outcome(net, scene, True)
    for ours, dense in zip(found.values, outcome(net, scene, False).values, strict=True):
        assert torch.allclose(ours, dense, rtol=0, atol=1e-12)
    assert all(g.isfinite().all() for g in found.gradients)


def test_windows_that_hide_all_of_the_background():
    """The ground then stands for no cell at all: its statistics must not be 0 / 0."""
    for mode in ("circular", "reflect", "replicate", "zeros"):
        net = _net(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3, padding=1, padding_mode=mode), nn.BatchNorm2d(3), nn.ReLU())
        assert_equal(net, _scene((5, 5), ((0, 0),)))
        assert_equal(net, _scene((9, 9), ((0, 0), (4, 4))))


def test_a_picture_that_no_output_sees_gets_no_gradient():
    found = outcome(_net(nn.Conv2d(3, 4, 1, 7)), _scene((33, 33), ((1, 1),), side=3), True)
    assert not found.gradients[0].any()


def test_equal_largest_cells_share_the_gradient_of_amax():
    """In windows, in the ground, and in both at once; as often as the image shows them."""
    for colour in (0.0, 1.0, 0.3):
        pictures = torch.tensor([0.0, 0.5, 1.0, 1.0]).double()[torch.randint(0, 4, (2, 3, 6, 6))]
        scene = Scene(pictures, (20, 17), [(0, 0), (0, 0), (9, 8), (9, 8)], torch.full((3,), colour).double())
        found = []
        for images in (scene.canvas, scene.painted):
            given, weight = pictures.clone().requires_grad_(), torch.ones(2, 3, 1, 1).double().requires_grad_()
            scores = nn.functional.conv2d(images(given), weight).amax((2, 3))
            (scores * torch.tensor([[1.0, -2.0], [0.5, 3.0], [1.0, 1.0], [2.0, 0.1]])).sum().backward()
            found.append((given.grad, weight.grad))
        for ours, dense in zip(*found, strict=True):
            assert torch.allclose(ours, dense, rtol=1e-12, atol=1e-14)


def test_a_bias_without_a_scale_gets_its_gradient_from_batch_norm():
    for scale, bias in ((None, torch.zeros(3).double()), (torch.ones(3).double(), None)):
        found = []
        for images in (_scene().canvas(), _scene().painted()):
            given = [None if t is None else t.clone().requires_grad_() for t in (scale, bias)]
            normal = nn.functional.batch_norm(images, None, None, *given, training=True)
            (normal.tanh() ** 2 + normal.relu()).mean((2, 3)).sum().backward()
            found.append(next(t for t in given if t is not None).grad)
        assert torch.allclose(*found, rtol=1e-10)


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(4), nn.AdaptiveMaxPool2d(1)])
def test_gradients_of_gradients_are_right_or_refused(layer):
    net, scene = _net(nn.Conv2d(3, 4, 3), layer, nn.Tanh()), _scene()
    second = []
    for images in (scene.canvas, scene.painted):
        given = scene.pictures.clone().requires_grad_()
        (first,) = torch.autograd.grad((net(images(given)) ** 2).mean((2, 3)).sum(), given, create_graph=True)
        net.zero_grad()
        if images == scene.canvas and isinstance(layer, nn.BatchNorm2d):
            with pytest.raises(RuntimeError, match="once_differentiable"):
                first.square().sum().backward()
            return
        first.square().sum().backward()
        second.append(net[0].weight.grad)
    assert torch.allclose(*second, rtol=1e-10)
