"""Convolution types in space alone: time stays as published, padded as the network pads it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance import with_conv
from equivariance.boundary import RULES, Sampling, bounded, unwrap
from equivariance.errors import UserError

C, TIME = 3, (0,)
COLOUR = (0.3, -0.2)


def clips(*sides, channels=C, seed=0):
    return torch.randn(2, channels, *sides, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def under(rule, layer, x, colour=None):
    return unwrap(layer(bounded(x, RULES[rule], colour, still=TIME)))


class Block(nn.Module):
    def __init__(self, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(C, C, 3, stride, 1), nn.BatchNorm3d(C)
        self.conv2 = nn.Conv3d(C, C, (3, 1, 3), 1, (1, 0, 1))
        self.shortcut = nn.Conv3d(C, C, 1, stride)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.bn1(self.conv1(x)))) + self.shortcut(x))


def network(stride, seed=0):
    torch.manual_seed(seed)
    stem = nn.Conv3d(2, C, (5, 3, 3), (2, 1, 1), (2, 1, 1))
    net = nn.Sequential(stem, nn.MaxPool3d(3, (2, stride, stride), 1), Block((2, stride, stride))).double().eval()
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm3d):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return net


@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_full_pads_space_by_all_that_touches_and_time_as_published(stride):
    layer = nn.Conv3d(C, C, (5, 3, 3), stride, (2, 1, 1)).double()
    x = clips(6, 9, 11)
    found = under("full", layer, x)
    layer.padding = (2, 2, 2)
    # A strided layer is free to choose its phase: the first output just touches the map, as with padding k - 1.
    assert torch.allclose(found, layer(x), 1e-12, 1e-12)


@pytest.mark.parametrize("outside", ["circular", "reflect", "replicate"])
@torch.no_grad()
def test_what_continues_space_does_not_continue_time(outside):
    layer = nn.Conv3d(C, C, (3, 5, 3), (1, 2, 1), (1, 2, 1)).double()
    x = clips(5, 9, 8)
    around = F.pad(F.pad(x, (1, 1, 2, 2, 0, 0), mode=outside), (0, 0, 0, 0, 1, 1))
    layer.padding = 0
    wanted = layer(around)
    layer.padding = (1, 2, 1)
    assert torch.allclose(under(outside, layer, x), wanted, 1e-12, 1e-12)


@torch.no_grad()
def test_partial_scales_by_the_share_of_space_inside():
    layer = nn.Conv3d(C, C, 3, 1, 1, bias=False).double()
    x = clips(4, 6, 7)
    ones = torch.ones(1, 1, 1, 6, 7, dtype=torch.float64)
    taps = F.conv3d(ones, torch.ones(1, 1, 1, 3, 3, dtype=torch.float64), padding=(0, 1, 1))
    assert torch.allclose(under("partial", layer, x), layer(x) * 9 / taps, 1e-12, 1e-12)


@torch.no_grad()
def test_a_maximum_sees_nothing_beyond_time_and_zeros_beyond_space():
    pool, x = nn.MaxPool3d(3, (2, 1, 1), 1), -clips(7, 5, 6).abs() - 1
    wanted = F.max_pool3d(F.pad(F.pad(x, (2, 2, 2, 2)), (0, 0, 0, 0, 1, 1), value=-torch.inf), 3, (2, 1, 1))
    assert torch.equal(under("full", pool, x), wanted)
    assert torch.equal(under("full, pools own", pool, x), pool(x))


@torch.no_grad()
def test_explicit_padding_of_time_is_zeros_before_a_maximum_too():
    net = nn.Sequential(nn.ConstantPad3d((0, 0, 0, 0, 0, 1), 0.0), nn.MaxPool3d((2, 1, 1), 2)).double()
    x = -clips(5, 4, 4).abs() - 1
    assert torch.equal(under("full", net, x), net(x))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_unbounded_gives_the_same_wherever_in_space_a_film_lies(stride, training):
    film = clips(9, 5, 6, channels=2)
    ground = torch.tensor(COLOUR, dtype=torch.float64).view(1, 2, 1, 1, 1)
    pooled = []
    for top, left in ((0, 0), (4, 8), (12, 16)):
        x = ground.expand(2, 2, 9, 17, 22).clone()
        x[:, :, :, top : top + 5, left : left + 6] = film
        found = under("unbounded", network(stride).train(training), x, COLOUR)
        pooled.append(torch.cat([found.amax((3, 4)), found.amin((3, 4))], 1))
    for other in pooled[1:]:
        assert torch.allclose(other, pooled[0], 1e-12, 1e-12)


@torch.no_grad()
def test_unbounded_is_what_a_large_canvas_gives_far_from_its_edges():
    net, film, far = network(1), clips(9, 6, 6, channels=2), 12
    ground = torch.tensor(COLOUR, dtype=torch.float64).view(1, 2, 1, 1, 1)
    canvas = ground.expand(2, 2, 9, 6 + 2 * far, 6 + 2 * far).clone()
    canvas[..., far : far + 6, far : far + 6] = film
    found = under("unbounded", net, film, COLOUR)
    high, wide = ((n - 6) // 2 for n in found.shape[3:])
    wanted = net(canvas)[..., far - high : far + 6 + high, far - wide : far + 6 + wide]
    assert torch.allclose(found, wanted, 1e-12, 1e-12)


def test_gradients_flow_as_through_explicit_padding():
    layer, x = nn.Conv3d(C, 1, 3, 1, 1).double(), clips(4, 5, 5).requires_grad_()
    found = torch.autograd.grad(under("full", layer, x).square().sum(), x)[0]
    layer.padding = (1, 2, 2)
    assert torch.allclose(found, torch.autograd.grad(layer(x).square().sum(), x)[0], 1e-12, 1e-12)


def test_other_sampling_is_refused_beside_a_still_axis():
    with pytest.raises(UserError, match=r"^downsample=blur: allowed with conv.axes=space\+time"):
        bounded(clips(4, 4, 4), RULES["full"], None, Sampling("blur", 3), TIME)


def test_the_library_says_which_axes_a_type_is_about():
    net, x = nn.Conv3d(C, C, 3, 1, 1).double(), clips(4, 6, 7)
    with torch.no_grad():
        assert with_conv(net, "full", axes="space")(x).shape[2:] == (4, 8, 9)
        assert with_conv(net, "full")(x).shape[2:] == (6, 8, 9)
    with pytest.raises(UserError, match=r"^axes=time: allowed: space, space\+time$"):
        with_conv(net, "full", axes="time")


@torch.no_grad()
def test_a_network_for_sounds_is_the_same_wherever_a_sound_lies():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(1, 4, 9, 4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(3, 2, 1), nn.Conv1d(4, 4, 3)
    )
    net, sound = with_conv(net.double().eval(), "unbounded"), torch.randn(1, 1, 30, dtype=torch.float64)
    early, late = (F.pad(sound, (n, 80 - n)) for n in (0, 48))
    assert torch.allclose(net(early).amax(2), net(late).amax(2), 1e-12, 1e-12)
