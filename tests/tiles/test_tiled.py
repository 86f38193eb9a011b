"""Tiles against the whole image at once: to rounding, at any size, statistics included, after a kill too."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles import halo, tiled
from equivariance.tiles.output import Selected
from equivariance.tiles.plan import plan

from .networks import C, Dense, networks

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def picture(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@torch.no_grad()
def whole(net, image):
    return net(torch.from_numpy(image)[None])[0].numpy()


@given(networks, st.integers(1, 97), st.integers(0, 3), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_tiles_give_the_whole_image_at_any_size(steps, more, larger, batch):
    net = Dense(1, steps)
    try:
        found = halo(net, C, 1)
    except UserError:
        assume(False)
    assume(found.exact)
    tile = found.tile[0] + larger * found.grid[0]
    side = tile + more if found.sides == (1,) else tile + more * found.sides[0]
    image = picture(C, side)
    # Interpolation rounds where it samples by the place in the image: 1e-13 at 1000 pixels, which weights enlarge.
    assert np.abs(tiled(net, image, tile, batch=batch) - whole(net, image)).max() < 1e-11


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool, self.excite = nn.AdaptiveAvgPool2d(1), nn.Conv2d(C, C, 1)

    def forward(self, x):
        return x * self.excite(self.pool(x)).sigmoid() + x.mean((2, 3))[:, :, None, None]


class UNet(nn.Module):
    """Two levels, a norm after each convolution, an output among several."""

    def __init__(self, axes, norm):
        super().__init__()
        torch.manual_seed(0)
        conv, pool = CONVS[axes], {2: nn.MaxPool2d, 3: nn.MaxPool3d}[axes]
        up = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[axes]
        self.first = nn.Sequential(conv(C, C, 3, padding=1), norm(), nn.ReLU(inplace=True))
        self.low = nn.Sequential(pool(2), conv(C, C, 3, padding=1), norm(), nn.GELU(), up(C, C, 2, 2))
        self.last = nn.Sequential(conv(2 * C, C, 3, padding=1), norm())
        self.double().eval()

    def forward(self, x):
        high = self.first(x)
        return {"maps": [high, self.last(torch.cat([self.low(high), high], 1))]}


NORMS = {
    "instance": lambda: nn.InstanceNorm2d(C, affine=True),
    "group": lambda: nn.GroupNorm(3, C),
    "one group": lambda: nn.GroupNorm(1, C),
    "gate": Gate,
}


@pytest.mark.parametrize("norm", NORMS)
def test_statistics_of_the_whole_image_are_taken_first(norm):
    net, image = UNet(2, NORMS[norm]), picture(C, 50, 38) + picture(C, 1, 1)
    image[:, :20] *= 5  # tiles differ in their statistics
    found = halo(net, C, output="maps.1")
    assert (found.exact, found.two_passes) == (False, True)
    wanted = net(torch.from_numpy(image)[None])["maps"][1][0].detach().numpy()
    assert np.abs(tiled(net, image, 24, output="maps.1", batch=2) - wanted).max() < 1e-12
    assert np.abs(tiled(net, image, 24, 6, output="maps.1") - wanted).max() > 1e-3  # each tile's own


def test_three_dimensions_several_devices_and_a_tile_that_fits_the_memory():
    net, image = UNet(3, lambda: nn.InstanceNorm3d(C)), picture(C, 22, 26, 40)
    wanted = net(torch.from_numpy(image)[None])["maps"][1][0].detach().numpy()
    for choice in ({"tile": (20, 26, 18)}, {"memory": 2**21}, {"tile": 20, "devices": ["cpu", "cpu"]}):
        assert np.abs(tiled(net, image, output="maps.1", **choice) - wanted).max() < 1e-12


@given(st.integers(40, 400), st.integers(26, 90), st.sampled_from([1, 2]))
@settings(max_examples=10, deadline=None)
def test_tiles_are_as_small_as_their_number_allows(side, tile, stride):
    net = nn.Sequential(nn.Conv1d(C, C, 9, stride, 3), nn.Conv1d(C, C, 5, padding=2), nn.ReLU())
    found = plan(Selected(net), C, (side,), (tile // stride * stride,)).spans[0]
    needs, grid = halo(net, C, 1), stride
    margins = needs.before[0] + needs.after[0] + 2 * (grid - 1)
    assert max(span.length for span in found) <= tile
    assert len(found) <= max(1, -(-(side - margins) // (tile // grid * grid - margins)))
    assert sum(span.length for span in found) <= side + (len(found) - 1) * margins + len(found) * grid


class Attention(nn.Module):
    def forward(self, x):
        flat = x.flatten(2)
        return (flat @ (flat.transpose(1, 2) @ flat).softmax(-1)).view_as(x)


class Flat(nn.Module):
    def forward(self, x):
        return x[:, 0]


class Larger(nn.Conv2d):
    """Sees farther in images of some sizes."""

    def __init__(self):
        super().__init__(C, C, 3, padding=1)

    def forward(self, x):
        return F.conv2d(x, self.weight, padding=2, dilation=2) if 64 < x.shape[2] < 100 else super().forward(x)


UP = nn.Sequential(nn.Conv2d(C, C, 3, 2, 1), nn.Conv2d(C, C, 3, 2, 1), nn.Upsample(scale_factor=4))


@pytest.mark.parametrize(
    ("net", "image", "given", "said"),
    [
        (UP, picture(C, 64, 64), {"tile": 33}, "tile=33: off the grid; allowed: multiples of 4"),
        (UP, picture(C, 64, 64), {"tile": 4}, "tile=4: nothing is left of it without its halo; allowed: from 8"),
        (UP, picture(C, 64, 64), {"tile": (8, 8, 8)}, "allowed: pixels from 1, one number or 2"),
        (UP, picture(C, 64, 64), {"tile": 16.0}, "tile=16.0: allowed: pixels from 1, one number or 2"),
        (UP, picture(C, 64, 64), {"tile": 16, "halo": -1}, "halo=-1: allowed"),
        (
            UP,
            picture(C, 64, 64),
            {"tile": 16, "halo": halo(nn.Conv1d(C, C, 1), C, 1)},
            "halo: of 1 axes; allowed: of 2",
        ),
        (UP, picture(C, 64, 64), {"tile": 16, "batch": 0}, "batch=0: allowed: tiles from 1$"),
        (UP, picture(C, 64, 64), {"memory": "1"}, "memory=1: allowed: bytes from 0$"),
        (UP, picture(C, 64, 64), {"tile": 16, "devices": ["meta"]}, "meta has no values"),
        (UP, picture(C, 64, 64), {"tile": 16, "output": 1}, "output=1: allowed: text, as '1'"),
        (UP, picture(C, 64, 64), {"tile": 16, "output": "out"}, "out names a part of a map; allowed: .* None for all"),
        (Flat(), picture(C, 64, 64), {"tile": 16}, r"the model's output is no map \[N, C, H, W\]"),
        (Larger(), picture(C, 72, 64), {"tile": 16}, r"Larger .* \[72, 64\] pixels than in a tile; no tiles are exact"),
        (UP, picture(C, 64, 64), {"tile": 16, "devices": ["gpu0"]}, r"devices=\['gpu0'\]: Invalid device"),
        (
            UP,
            picture(C, 64, 64),
            {"tile": 16, "prepare": lambda part: part[:, 1:]},
            "allowed: a tensor of the same sides",
        ),
        (UP, picture(C, 64, 64), {"tile": 16, "prepare": lambda part: part / None}, "prepare fails on a part"),
        (
            UP,
            picture(C, 64, 64),
            {"tile": 16, "prepare": lambda part: part / part.std()},
            "pixels of half a part",
        ),
        (UP, picture(1, C, 64, 64), {"tile": 16}, r"for images \[C, \*space\], as of \[1, 3, 64, 64\]"),
        (UP, picture(C, 64, 64) * 1j, {"tile": 16}, "complex128, the model takes float32"),
        (len, picture(C, 64, 64), {"tile": 16}, "model: a builtin_function_or_method; allowed: an nn.Module"),
        (UP, picture(C, 64, 64), {"halo": 4}, "tile=None: allowed with the exact halo"),
        (UP, picture(C, 64, 64), {"memory": 1000}, "memory=1000: the maps of the smallest tile take"),
        (UP, picture(C, 64, 64), {"tile": 32, "out": np.empty((1, 2))}, r"out: shape \[1, 2\]; allowed: \[3, 64, 64\]"),
        (UP, picture(4, 64, 64), {"tile": 32}, "conv2d of 4 channels by a weight for 3"),
        (UP, picture(C), {"tile": 32}, r"image: shape \[3\]; allowed"),
        (nn.Sequential(UP, Attention()), picture(C, 64, 64), {"tile": 32}, r"1 \(Attention\)"),
        (UNet(2, nn.Identity), picture(C, 64, 64), {"tile": 32}, "type dict, with maps; allowed: output=maps"),
        (UNet(2, nn.Identity), picture(C, 63, 64), {"tile": 32, "output": "maps.1"}, "branches of the network do not"),
        (nn.Upsample(size=64), picture(C, 90, 90), {"tile": 30}, "what it does depends on the size"),
    ],
)
def test_wrong_use_is_one_line(net, image, given, said):
    with pytest.raises(UserError, match=said) as refused:
        tiled(net, image, **given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("side", [8, 9, 10, 11, 12])
@pytest.mark.parametrize("layer", [nn.Conv1d(C, C, 3, 3), nn.MaxPool1d(3, ceil_mode=True), nn.AvgPool1d(3, 2, 1, True)])
def test_a_last_tile_may_be_too_small_for_the_network(layer, side):
    image = picture(C, side)
    assert np.abs(tiled(layer.double(), image, 6) - whole(layer, image)).max() < 1e-12


def test_numbers_of_numpy_and_images_that_learn_are_taken():
    image = torch.from_numpy(picture(C, 64, 48)).float().requires_grad_()
    found = tiled(UP, image, np.array([16, 32]), batch=np.int64(2))
    assert np.allclose(found, UP(image[None])[0].detach().numpy(), atol=1e-6)


class Least(nn.Conv2d):
    def forward(self, x):
        if min(x.shape[2:]) < 100:
            raise ValueError("too small")
        return super().forward(x)


def test_a_network_that_refuses_small_images_gets_tiles_that_are_large_enough():
    assert halo(Least(C, C, 3), C).tile == (100, 100)


def test_an_image_smaller_than_a_tile_is_one_tile():
    image = picture(C, 10, 70).astype(np.float32)
    net = nn.Sequential(nn.Conv2d(C, C, 3, 1, 1), nn.Conv2d(C, C, 5, 2, 2))
    assert np.allclose(tiled(net, image, 64), whole(net, image), atol=1e-6)
