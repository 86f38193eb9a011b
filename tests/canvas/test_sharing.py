"""Which places of a picture stay one tensor, and what that certifies."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.canvas import Canvas, place

from .oracle import Scene, opened, relative_error, scene


def shared(canvas, first, second):
    """Whether two images provably give the same map up to a shift: one row of one window, computed once, and the same
    ground hidden. Then any pooling that ignores order gives the same numbers for both, whatever the weights."""
    (window, spot, row), (other, there, other_row) = _find(canvas, first), _find(canvas, second)
    hidden = [canvas.ground.hidden(w.box(s)) for w, s in ((window, spot), (other, there))]
    return window is other and row == other_row and np.array_equal(*hidden)


def _find(canvas, image):
    return next(
        (window, spot, canvas.members[spot.group].index(image))
        for window in canvas.windows
        for spot in window.spots
        if image in canvas.members[spot.group]
    )


def _net(*layers):
    return nn.Sequential(*layers).double()


def _strided(seed=0):
    """Three convolutions of 3 with stride 2: sees 1 + 2·(1 + 2 + 4) = 15 pixels."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(c, 4, 3, 2, 1) for c in (3, 4, 4)]
    return _net(*(layer for conv in layers for layer in (conv, nn.LeakyReLU(0.3))))


def test_both_places_are_one_tensor_until_an_edge_comes_into_reach():
    net, (n, border) = _strided(), (2, 32)
    y = net(scene(border, n=n).canvas())
    assert len(y.windows) == 1
    assert y.windows[0].tensor.shape[0] == n
    assert shared(y, 0, n)
    assert shared(y, 1, n + 1)
    assert not shared(y, 0, n + 1)  # another picture
    assert not shared(y, 0, 1)
    y = net(scene(0, n=n).canvas())
    assert not (isinstance(y, Canvas) and shared(y, 0, n))


@pytest.mark.parametrize("border", range(0, 24, 3))
def test_shared_means_equal_features_to_the_last_bit_and_else_some_weights_tell_them_apart(border):
    x, certified, difference = scene(border, n=1), [], 0.0
    for seed in range(4):
        net = _strided(seed)
        with torch.no_grad():
            y, dense = net(x.canvas()), net(x.painted())
            certified.append(isinstance(y, Canvas) and shared(y, 0, 1))
            for pooled in (y.amax((2, 3)), y.mean((2, 3))):
                assert torch.equal(pooled[0], pooled[1]) or not certified[-1]
            means = dense.mean((2, 3))
            difference = max(difference, float((means[0] - means[1]).abs().max()))
    assert len(set(certified)) == 1  # the geometry decides, not the weights
    assert (difference < 1e-13) == certified[0]


def test_places_out_of_phase_with_the_stride_split():
    net, x = _strided().requires_grad_(False), scene(32, n=1)
    x.corners[1] = (x.corners[1][0] + 1, x.corners[1][1])
    y = net(x.canvas())
    assert len(y.windows) == 2
    assert not shared(y, 0, 1)
    assert relative_error(opened(y), net(x.painted())) < 1e-12


def test_one_window_but_another_ground_hidden_is_no_certificate():
    """A bright band beside the second place: the same tensor, yet what the windows hide differs once it is sliced."""
    canvas = place(torch.rand(1, 3, 4, 4), 32, [(8, 8), (16, 16)], (0.0,) * 3)
    assert shared(canvas, 0, 1)
    banded = F.pad(canvas, (0, 0, 0, 4), value=1.0)
    assert shared(banded, 0, 1)
    near = F.conv2d(banded, torch.rand(3, 3, 17, 1), padding=(8, 0))
    assert not shared(near, 0, 1)


def test_add_and_cat_keep_what_is_shared():
    conv = nn.Conv2d(3, 3, 5, padding=2).double()
    x = scene(32, n=2).canvas()
    for y in (x + conv(x), torch.cat([conv(x), x, conv(conv(x))], 1)):
        assert len(y.windows) == 1
        assert shared(y, 0, 2)


def test_only_the_same_pictures_share():
    pictures = torch.rand(3, 3, 4, 4)
    corners = [(8, 8), (8, 8), (16, 16), (16, 16), (16, 16), (8, 8)]
    canvas = place(pictures, 32, corners, (0.0,) * 3)
    painted = Scene(pictures, (32, 32), corners, torch.zeros(3)).painted()
    assert torch.equal(canvas.dense(), painted)
    assert len(canvas.windows) == 2  # pictures 0, 1, 2 at (8, 8), but 2, 0, 1 at (16, 16)


def test_a_shared_window_counts_for_all_its_places_in_training():
    net, x = _net(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), scene(8, n=2)
    lone = Scene(x.pictures.repeat(2, 1, 1, 1), x.size, x.corners, x.colour)
    shared, apart = net(x.canvas()), net(lone.canvas())
    assert len(shared.windows) == 1
    assert len(apart.windows) == 2
    assert relative_error(shared.dense(), apart.dense()) < 1e-13


def test_windows_that_an_edge_tells_apart_share_one_ground_while_their_gates_agree():
    class Gated(nn.Module):
        def __init__(self, sway):
            super().__init__()
            self.conv, self.sway = nn.Conv2d(3, 3, 5, padding=2), sway

        def forward(self, x):
            x = self.conv(x)
            return x * torch.sigmoid(1 + self.sway * x.mean((2, 3), keepdim=True))

    x, n = scene(9, n=2), 2
    for sway, grounds in ((1e-18, n), (1.0, 2 * n)):
        torch.manual_seed(0)
        net = nn.Sequential(*(Gated(sway) for _ in range(5))).double().eval()
        with torch.inference_mode():
            y, wanted = net(x.canvas()), net(x.painted())
        assert len(y.windows) == 2
        assert len(y.ground.tensor) == grounds
        assert len({y.ground.each[group] for group in range(2)}) == grounds // n
        assert relative_error(y.dense(), wanted) < 1e-12
