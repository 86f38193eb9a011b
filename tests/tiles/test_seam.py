"""Seams: nothing at the exact halo, something below it, and only where a unit sees across the seam."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles import Mismatch, halo, plot_seams, seam, seams, train_eval_disparity

IMAGE = np.random.default_rng(0).standard_normal((1, 60, 52))


def network(norm=None):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 5, padding=2), *([norm] if norm else []), nn.Tanh(), nn.Conv2d(4, 3, 5, padding=2)]
    return nn.Sequential(*layers).double().eval()


def test_the_mismatch_ends_where_no_unit_sees_across_the_seam():
    for cut in range(5):
        found = seam(network(), IMAGE, 24, cut)
        assert found.exact == 4
        wrong = [d for d, m in found.by_distance if m.largest > 1e-12]
        assert wrong == list(range(4 - cut))
        assert (found.all.largest > 1e-12) == (cut < 4)
        assert found.all.rms <= found.all.largest
    assert seam(network(), IMAGE, 24).all == found.all
    assert "exact: 4" in str(found)


def test_classes_that_change_are_counted():
    image = IMAGE[:, :24, :36]
    found = seam(network(), image, 12, 0)
    rows = [np.concatenate([_whole(image[:, y : y + 12, x : x + 12]) for x in (0, 12, 24)], 2) for y in (0, 12)]
    tiles = np.concatenate(rows, 1)
    assert found.all.changed == np.mean(tiles.argmax(0) != _whole(image).argmax(0)) > 0


@torch.no_grad()
def _whole(image, net=None):
    return (net or network())(torch.from_numpy(image)[None])[0].numpy()


def test_statistics_leave_a_mismatch_at_any_halo():
    net = network(nn.InstanceNorm2d(4))
    found = seam(net, IMAGE * np.linspace(1, 5, 52), 24)
    assert found.exact is None
    assert found.all.largest > 1e-3
    assert found.disparity == Mismatch(0.0, 0.0, 0.0)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), nn.InstanceNorm2d(4, track_running_stats=True)])
def test_the_disparity_is_that_of_norms_in_train_and_in_eval_mode(norm):
    nn.init.constant_(norm.running_mean, 0.5)
    net = network(norm).insert(0, nn.Dropout(0.5).eval())
    found, before = train_eval_disparity(net, IMAGE), copy.deepcopy(norm.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())
    assert not norm.training
    right = _whole(IMAGE, net)
    norm.train()
    apart = _whole(IMAGE, net) - right
    assert found.largest == pytest.approx(np.abs(apart).max(), rel=1e-9)
    assert found.rms == pytest.approx(np.sqrt(np.mean(apart**2)), rel=1e-9)
    assert found.changed == np.mean((right + apart).argmax(0) != right.argmax(0)) > 0
    norm.load_state_dict(before)
    assert seam(net.eval(), IMAGE, 24).disparity == found


def test_a_branch_that_pools_the_image_has_no_statistics_of_its_own():
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))
    assert train_eval_disparity(nn.Sequential(*network()[:2], pooled).double().eval(), IMAGE).largest == 0.0


def test_a_figure_of_several_halos(tmp_path):
    plot_seams(seams(network(), IMAGE, 24, [0, 2, 4, 6]), tmp_path / "seams.png")
    assert (tmp_path / "seams.png").stat().st_size > 10_000


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(UserError, match=r"no halo is known; 0 \(AdaptiveMaxPool2d"):
        seam(nn.Sequential(nn.AdaptiveMaxPool2d(3)), IMAGE, 24)
    assert not halo(nn.Sequential(nn.AdaptiveMaxPool2d(3)), 1).exact
