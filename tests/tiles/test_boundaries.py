"""Tiles of networks that meet the image's edge in their own ways: every convolution type, padding, pools."""

import re
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance import with_conv
from equivariance.errors import UserError
from equivariance.tiles import halo, tiled

from .networks import C

IMAGE = np.random.default_rng(0).standard_normal((C, 61, 53))
IMAGE[:, :20] *= 5  # tiles differ in their statistics


class Gate(nn.Module):
    """Squeeze-and-excitation, of what a dilated convolution saw: farther than the output."""

    def __init__(self):
        super().__init__()
        self.seen, self.excite = nn.Conv2d(C, C, 3, padding=3, dilation=3), nn.Conv2d(C, C, 1)

    def forward(self, x):
        return x * self.excite(F.adaptive_avg_pool2d(self.seen(x), 1)).sigmoid()


class ImagePooling(nn.Module):
    """The branch of DeepLab that pools the image, and puts it back beside each pixel."""

    def forward(self, x):
        pooled = F.adaptive_avg_pool2d(x, 1)
        return torch.cat([x, F.interpolate(pooled, size=x.shape[2:], mode="bilinear")], 1)[:, 1 : C + 1]


class Padded(nn.Module):
    """Pads the image to a multiple of four, where it is none, and crops the output again."""

    def __init__(self, mode="constant"):
        super().__init__()
        self.mode = mode
        self.net = nn.Sequential(nn.Conv2d(C, C, 3, 2, 1), nn.Conv2d(C, C, 3, 2, 1), nn.ConvTranspose2d(C, C, 4, 4))

    def forward(self, x):
        height, width = x.shape[2:]
        pads = (0, -width % 4, 0, -height % 4)
        return self.net(F.pad(x, pads, self.mode) if any(pads) else x)[..., :height, :width]


def network(*middle):
    torch.manual_seed(0)
    layers = nn.Conv2d(C, C, 3, padding=1), *middle, nn.Conv2d(C, C, 3, 2, 1), nn.ReLU(), nn.Conv2d(C, 2, 3, padding=1)
    return nn.Sequential(*layers).double().eval()


def far(net, **given):
    """How far tiles are from the whole image."""
    with torch.no_grad():
        wanted = net(torch.from_numpy(IMAGE)[None])[0].numpy()
    found = tiled(net, IMAGE, **given)
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max()


@pytest.mark.parametrize("conv", ["valid", "full", "reflect", "replicate", "partial", "unbounded"])
@pytest.mark.parametrize("middle", [nn.Tanh, Gate])
def test_each_convolution_type_keeps_its_rule_at_the_image_s_edge(conv, middle):
    net = with_conv(network(middle()), conv)
    found = halo(net, C)
    assert (found.exact, found.two_passes) == (middle is nn.Tanh, middle is Gate)
    assert far(net, tile=30) < 1e-12


@pytest.mark.parametrize(
    ("middle", "conv", "why"),
    [
        (nn.Tanh, "circular", r"0 \(Conv2d\): circular padding joins opposite edges"),
        (lambda: nn.GroupNorm(1, C), "reflect", r"1 \(GroupNorm\): it sees all of the image"),
        (lambda: nn.InstanceNorm2d(C), "unbounded", r"1 \(InstanceNorm2d\): it sees all of the image"),
        (lambda: nn.BatchNorm2d(C), "full", r"1 \(BatchNorm2d\): batch norm in train mode"),
    ],
)
def test_what_forbids_tiles_is_seen_under_a_convolution_type_too(middle, conv, why):
    net = with_conv(network(middle()), conv).train()
    found = halo(net, C)
    assert not found.exact
    assert not found.two_passes
    with pytest.raises(UserError, match=why.partition(": ")[2]):
        far(net, tile=30)
    assert any(re.search(why, str(reason)) for reason in found.reasons)


class Causal(nn.Module):
    """Sees backwards alone; what padding repeats at the start no unit there would see by itself, as in audio codecs."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(C, C, 3, stride=s, dilation=d) for s, d in ((1, 1), (1, 2), (2, 1)))
        self.back = nn.ConvTranspose2d(C, C, 4, 2)

    def forward(self, x):
        for conv in self.convs:
            before = 2 * conv.dilation[0] - (conv.stride[0] - 1)
            x = F.elu(conv(F.pad(x, (before, 0, before, 0), "reflect")))
        return self.back(x)[..., :-2, :-2]


@pytest.mark.parametrize("middle", [Gate, ImagePooling, Padded, partial(Padded, "reflect"), Causal])
def test_what_sees_farther_pools_or_pads_by_itself_is_exact(middle):
    assert far(network(middle()), tile=28) < 1e-12


class Scaled(nn.Conv2d):
    """What it computes depends on how many pixels there are."""

    def __init__(self, number):
        super().__init__(C, C, 3, padding=1)
        self.number = number

    def forward(self, x):
        return super().forward(x) * self.number(x.shape[-1])


@pytest.mark.parametrize("number", [float, lambda n: torch.tensor(1.0 / n), lambda n: torch.full((C, 1, 1), n)])
def test_numbers_that_depend_on_the_image_s_size_are_seen(number):
    found = halo(Scaled(number), C)
    assert not found.exact
    assert str(found.reasons[0]) == "mul in Scaled: what it does depends on the size of the image"


def test_numbers_that_change_from_call_to_call_are_seen():
    found = halo(Scaled(lambda _: torch.rand(1)), C)
    assert not found.exact
    assert str(found.reasons[0]) == "mul in Scaled: what it does changes from call to call"
