"""Convolution types and sight in one and three dimensions: against explicit padding, shifts, and the Jacobian."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.boundary import RULES, bounded, unwrap
from equivariance.reach import reach

C = 4
CONV = {1: nn.Conv1d, 3: nn.Conv3d}
MAX, AVERAGE = {1: nn.MaxPool1d, 3: nn.MaxPool3d}, {1: nn.AvgPool1d, 3: nn.AvgPool3d}
NORM = {1: nn.BatchNorm1d, 3: nn.BatchNorm3d}
KERNELS = {1: (5,), 3: (1, 3, 5)}
SIDES, SHIFTS = {1: (43,), 3: (13, 15, 17)}, {1: [(0,), (12,), (32,)], 3: [(0, 0, 0), (4, 0, 8), (8, 8, 12)]}
PICTURE = 5
COLOUR = (0.3, -0.2)


class Residual(nn.Module):
    def __init__(self, axes):
        super().__init__()
        self.conv = CONV[axes](C, C, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        y.add_(x)
        return torch.cat([y, x[:, :2].relu()], 1)


def bodies(axes):
    """What may come after a first convolution; each with its total stride."""
    kernel = KERNELS[axes]
    around = tuple(k // 2 for k in kernel)
    return {
        "convolution": CONV[axes](C, C, kernel, padding=around),
        "strided": CONV[axes](C, C, kernel, stride=2, padding=around),
        "dilated": CONV[axes](C, C, 3, padding=2, dilation=2, groups=2),
        "max pool": MAX[axes](3, 2, 1),
        "average pool": AVERAGE[axes](3, 2, 1),
        "norm": nn.Sequential(NORM[axes](C), nn.GELU()),
        "residual": Residual(axes),
        "deep": nn.Sequential(MAX[axes](2), nn.GELU(), CONV[axes](C, C, 3, 2, 1), NORM[axes](C)),
    }


class Gate(nn.Module):
    """A map times a number from all of itself."""

    def __init__(self, axes):
        super().__init__()
        self.space = tuple(range(2, 2 + axes))
        self.norm = nn.GroupNorm(2, C)

    def forward(self, x):
        s = x.mean(self.space, keepdim=True)
        return x * s.sigmoid() + self.norm(x)


def global_bodies(axes):
    """What lets a unit see everything, or as much as its neighbours."""
    return {
        "gate": Gate(axes),
        "upsample": nn.Sequential(AVERAGE[axes](2), nn.Upsample(scale_factor=2)),
    }


CASES = [(axes, name) for axes in (1, 3) for name in bodies(axes)]


def network(axes, name, seed=0):
    torch.manual_seed(seed)
    body = (bodies(axes) | global_bodies(axes))[name]
    net = nn.Sequential(CONV[axes](2, C, 3, padding=1), body, nn.Tanh()).double().eval()
    for norm in net.modules():
        if isinstance(norm, NORM[axes]):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return net


def image(axes, at):
    ground = torch.tensor(COLOUR, dtype=torch.float64).view(1, 2, *(1,) * axes)
    found = ground.expand(1, 2, *SIDES[axes]).clone()
    picture = torch.randn(2, *(PICTURE,) * axes, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found[(0, slice(None), *(slice(a, a + PICTURE) for a in at))] = picture
    return found


@pytest.mark.parametrize(("axes", "name"), CASES + [(axes, n) for axes in (1, 3) for n in ("gate", "upsample")])
@torch.no_grad()
def test_unbounded_gives_the_same_wherever_the_picture_lies(axes, name):
    net, space = network(axes, name), tuple(range(2, 2 + axes))
    pooled = []
    for at in SHIFTS[axes]:
        found = unwrap(net(bounded(image(axes, at), RULES["unbounded"], COLOUR)))
        pooled.append(torch.cat([found.amax(space), found.amin(space)], 1))
    for other in pooled[1:]:
        assert torch.allclose(other, pooled[0], 1e-12, 1e-12)


def explicit(axes, layer, x, outside):
    """One layer with its padding done by hand: what `outside` shows, then the layer without padding of its own."""
    around = [n for pair in ((p, p) for p in reversed(layer.padding)) for n in pair]
    bare = CONV[axes](C, C, layer.kernel_size, layer.stride, 0, layer.dilation, layer.groups).double()
    bare.load_state_dict(layer.state_dict())
    return bare(F.pad(x, around, mode=outside))


@pytest.mark.parametrize("outside", ["circular", "reflect", "replicate"])
@pytest.mark.parametrize(
    ("axes", "name"), [(axes, n) for axes in (1, 3) for n in ("convolution", "strided", "dilated")]
)
@torch.no_grad()
def test_a_type_is_its_padding_written_out(axes, name, outside):
    layer = bodies(axes)[name].double()
    x = torch.randn(2, C, *SIDES[axes], dtype=torch.float64)
    found = unwrap(layer(bounded(x, RULES[outside])))
    assert torch.allclose(found, explicit(axes, layer, x, outside), 1e-12, 1e-12)


@pytest.mark.parametrize(("axes", "name"), [(axes, n) for axes in (1, 3) for n in ("convolution", "dilated")])
@torch.no_grad()
def test_full_pads_by_all_that_touches(axes, name):
    layer = bodies(axes)[name].double()
    x = torch.randn(2, C, *SIDES[axes], dtype=torch.float64)
    reaches = [(k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    layer.padding = tuple(reaches)
    wanted = layer(x)
    layer.padding = tuple(r // 2 for r in reaches)
    assert torch.allclose(unwrap(layer(bounded(x, RULES["full"]))), wanted, 1e-12, 1e-12)


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("axes", [1, 3])
@torch.no_grad()
def test_full_pools_see_zeros_outside(axes, mode):
    size = (2,) if axes == 1 else (1, 2, 3)
    pool = {"max": MAX, "average": AVERAGE}[mode][axes](size, 1)
    x = torch.randn(2, C, *SIDES[axes], dtype=torch.float64)
    wanted = pool(F.pad(x, [n for k in reversed(size) for n in (k - 1, k - 1)]))
    assert torch.allclose(unwrap(pool(bounded(x, RULES["full"]))), wanted, 1e-12, 1e-12)


def support(axes, name, unit):
    """The pixels along each axis in which the derivative of a unit is ever not zero."""
    seen = [torch.zeros(side, dtype=torch.bool) for side in SIDES[axes]]
    for seed in range(8):
        x = torch.randn(1, 2, *SIDES[axes], dtype=torch.float64, requires_grad=True)
        network(axes, name, seed)(x)[(0, slice(None), *unit)].sum().backward()
        for axis, rows in enumerate(seen):
            rows |= x.grad.abs().amax([d for d in range(x.dim()) if d != axis + 2]) > 0
    return [rows.nonzero().flatten().tolist() for rows in seen]


@pytest.mark.parametrize(("axes", "name"), CASES)
def test_a_unit_sees_what_its_derivative_says(axes, name):
    found = reach(network(axes, name), *SIDES[axes], channels=2)
    assert found.sides == network(axes, name)(torch.rand(1, 2, *SIDES[axes], dtype=torch.float64)).shape[2:]
    unit = tuple(n // 2 for n in found.sides)
    for rows, sight, at, side in zip(support(axes, name, unit), found.sights, unit, SIDES[axes], strict=True):
        first, last = max(0, sight.stride * at + sight.first), min(side - 1, sight.stride * at + sight.last)
        assert (rows[0], rows[-1]) == (first, last)


@pytest.mark.parametrize("axes", [1, 3])
def test_a_gate_and_a_norm_over_space_are_seen_to_see_everything(axes):
    assert len(reach(network(axes, "gate"), *SIDES[axes], channels=2).pools) == 1


@pytest.mark.parametrize("axes", [1, 3])
def test_an_upsampled_unit_says_at_least_what_it_sees(axes):
    found = reach(network(axes, "upsample"), *SIDES[axes], channels=2)
    for unit in ((5,) * axes, (6,) * axes):
        for rows, sight, at in zip(support(axes, "upsample", unit), found.sights, unit, strict=True):
            assert sight.stride * at + sight.first <= rows[0]
            assert rows[-1] <= sight.stride * at + sight.last


@pytest.mark.parametrize(("axes", "name"), CASES)
@torch.no_grad()
def test_units_that_see_no_edge_do_not_change_with_it(axes, name):
    """A larger image around the same pixels: the units between head and tail keep their values."""
    net, sides = network(axes, name), SIDES[axes]
    found = reach(net, *sides, channels=2)
    x = torch.randn(1, 2, *sides, dtype=torch.float64)
    assert all(sight.head < sight.size - sight.tail for sight in found.sights)
    grown = 4  # a multiple of every stride
    wide = torch.randn(1, 2, *(side + 2 * grown for side in sides), dtype=torch.float64)
    wide[(slice(None), slice(None), *(slice(grown, grown + side) for side in sides))] = x
    small, large = net(x), net(wide)
    for corner in product((0, 1), repeat=axes):
        units = [s.head if not end else s.size - 1 - s.tail for s, end in zip(found.sights, corner, strict=True)]
        moved = [unit + grown // s.stride for unit, s in zip(units, found.sights, strict=True)]
        here, there = (t[(0, slice(None), *at)] for t, at in ((small, units), (large, moved)))
        assert torch.allclose(here, there, 1e-12, 1e-12)
