"""The halo against dense PyTorch: tiles with it are the whole image's, whatever the weights; one unit less is not."""

from math import lcm

import pytest
import torch
from hypothesis import assume, given, settings
from torch import nn

from equivariance.errors import UserError
from equivariance.reach import Unseen, reach
from equivariance.tiles import halo
from equivariance.tiles.axis import Axis
from equivariance.tiles.output import Selected
from equivariance.tiles.trace import trace

from .networks import C, Dense, networks

WEIGHTS = 4  # sets of them for which one unit less has to fail at least once


def geometry(net, axes):
    """The halo and where the output of a tile of some sides lies; None where the network runs on no such image."""
    found = halo(net, C, axes)
    assert found.before, found
    side = lcm(*found.grid) * -(
        -max(n + 2 * g for n, g in zip(found.tile, found.grid, strict=True)) // lcm(*found.grid)
    )
    run = trace(Selected(net), (side,) * axes, C)
    return found, side, [Axis.of(sight, side) for sight in run.sights], [s.size for s in run.sights]


@torch.no_grad()
def apart(make, axes, side, grid, geo, sizes, shift=2):
    """Along each axis, by how much each unit of a tile differs from the same unit of the image, over some weights."""
    worst = [torch.zeros(size, dtype=torch.float64) for size in sizes]
    for seed in range(WEIGHTS):
        net = make(seed)
        step = lcm(*grid) * shift
        image = torch.randn(1, C, *(side + 2 * step,) * axes, dtype=torch.float64)
        whole = net(image)
        for axis, found in enumerate(worst):  # a tile inside along this axis, at the image's start along the others
            spans = [slice(step, step + side) if d == axis else slice(0, None) for d in range(axes)]
            tile = net(image[(slice(None), slice(None), *spans)])
            first = int(step / geo[axis].stride)
            same = whole.narrow(axis + 2, first, sizes[axis])
            found.copy_(torch.maximum(found, (tile - same).abs().amax([d for d in range(axes + 2) if d != axis + 2])))
    return worst


def check(make, axes):
    found, side, geo, sizes = geometry(make(0), axes)
    for differs, axis, size in zip(apart(make, axes, side, found.grid, geo, sizes), geo, sizes, strict=True):
        assert axis.head + axis.tail < size
        inside = differs[axis.head : size - axis.tail]
        assert inside.max() < 1e-12
        if axis.head:
            assert differs[axis.head - 1] > 1e-12
        if axis.tail:
            assert differs[size - axis.tail] > 1e-12


@given(networks)
@settings(max_examples=25, deadline=None)
def test_a_tile_is_exact_from_its_halo_on_and_no_sooner(steps):
    try:
        found = halo(Dense(1, steps), C, 1)
    except UserError:
        assume(False)
    assume(found.exact)
    check(lambda seed: Dense(1, steps, seed), 1)


CASES = {
    "unet": [("conv", {}), ("unet", {}), ("conv", {})],
    "unet to a size": [("conv", {}), ("unet", {"how": "size"}), ("conv", {})],
    "causal": [("conv", {"before": 2, "after": 0}), ("conv", {"kernel": 2, "before": 3, "after": 0, "dilation": 3})],
    "strided": [("conv", {"stride": 2}), ("up", {"kernel": 4, "padding": 1}), ("crop", {"start": 1, "stop": 1})],
    "super-resolution": [("conv", {}), ("resize", {"scale": 3}), ("conv", {"kernel": 2, "before": 0})],
    "cubic": [("pool", {}), ("resize", {"scale": 1.5, "mode": "cubic"}), ("conv", {})],
    "cubic twice": [("resize", {"scale": 3, "mode": "cubic"}), ("resize", {"scale": 3, "mode": "cubic"})],
    "valid": [("conv", {"before": 0, "after": 0}), ("conv", {"before": 0, "after": 0})],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("axes", [2, 3])
def test_so_in_two_and_three_dimensions(name, axes):
    check(lambda seed: Dense(axes, CASES[name], seed), axes)


@pytest.mark.parametrize("name", CASES)
def test_a_unit_sees_what_its_derivative_says(name):
    side = 48
    sight = reach(Dense(1, CASES[name]), side, channels=C).sights[0]
    for unit in range(sight.size // 2, sight.size // 2 + 4):
        seen = torch.zeros(side, dtype=torch.bool)
        for seed in range(4):
            image = torch.randn(1, C, side, dtype=torch.float64, requires_grad=True)
            Dense(1, CASES[name], seed)(image)[0, :, unit].sum().backward()
            seen |= image.grad.abs().amax((0, 1)) > 0
        pixels = seen.nonzero().flatten().tolist()
        assert sight.stride * unit + sight.first <= pixels[0]
        assert pixels[-1] <= sight.stride * unit + sight.last


def test_the_halo_of_a_unet_is_that_of_the_formula():
    """Majurski & Bajcsy 2021: two 3×3 convolutions a level; the halo is a sum over levels, the grid 2 to the depth."""
    net = nn.Sequential(*(nn.Conv2d(C, C, 3, padding=1) for _ in range(2)))
    deep = nn.Sequential(net, nn.MaxPool2d(2), net, nn.ConvTranspose2d(C, C, 2, 2), net)
    found = halo(deep, C)
    assert (found.before, found.after, found.grid) == ((8, 8), (8, 8), (2, 2))
    assert found.sides == (1, 1)
    assert "exact       yes" in str(found)


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(C, 2, 3, padding=1)

    def forward(self, x):
        return {"out": self.conv(x), "aux": (x, x)}


def test_an_output_among_several_is_named():
    assert halo(Named(), C, output="out").exact
    assert halo(Named(), C, output="aux.1").before == (0, 0)
    for output, allowed in ((None, "output=out"), ("aux", "output=aux.0"), ("mask", "allowed: out, aux")):
        with pytest.raises(UserError, match=allowed) as refused:
            halo(Named(), C, output=output)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (nn.InstanceNorm2d(C), "whole image"),
        (nn.GroupNorm(1, C), "whole image"),
        (nn.BatchNorm2d(C), "train mode"),
        (nn.AdaptiveAvgPool2d(1), "all of the image"),
        (nn.AdaptiveAvgPool2d(2), "bins"),
        (nn.Conv2d(C, C, 3, padding=1, padding_mode="circular"), "opposite edges"),
        (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "align_corners"),
        (nn.Upsample(size=64), "size of the image"),
        (nn.Upsample(scale_factor=1.5, mode="area"), "area"),
        (nn.Dropout2d(0.5), "noise"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_what_forbids_tiles_is_named_with_its_layer(layer, why):
    class Net(nn.Sequential):
        def forward(self, x):
            y = self[1](self[0](x))
            return y * x if y.shape[2:] == (1, 1) else y

    found = halo(Net(nn.Conv2d(C, C, 3, padding=1), layer).train(), C)
    assert not found.exact
    assert len(found.reasons) == 1
    assert why in str(found.reasons[0])
    assert f"1 ({type(layer).__name__})" in str(found.reasons[0])
    assert found.two_passes == isinstance(layer, nn.InstanceNorm2d | nn.GroupNorm) or layer.output_size == 1


def test_what_has_no_meaning_is_refused_with_its_module():
    with pytest.raises(Unseen, match=r"adaptive_max_pool|interpolate by area.*0 \(Upsample\)"):
        reach(nn.Sequential(nn.Upsample(scale_factor=2, mode="area")), 8, 8, channels=C)
