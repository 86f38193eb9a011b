"""HardNet: maps of the published sizes under each convolution type, unit descriptors of the stated length."""

import pytest
import torch
from torch import nn

from equivariance.boundary import unwrap
from equivariance.errors import UserError
from equivariance.models.hardnet import HardNet, normalised


def sides(network):
    """Sides of the map after each convolution, for a patch of 32."""
    found = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, out: found.append(unwrap(out).shape[-1]))
    with torch.no_grad():
        network.eval()(torch.randn(1, 1, 32, 32))
    return [32, *found]


@pytest.mark.parametrize(
    ("conv", "expected"),
    [("same", [32, 32, 32, 16, 16, 8, 8, 1]), ("full", [32, 34, 36, 19, 21, 12, 14, 7])],
)
def test_maps_have_the_published_sides(conv, expected):
    """Science: HardNet and its released full version; the 8×8 layer is valid in both."""
    assert sides(HardNet(conv, "flat")) == expected
    assert sides(HardNet(conv, "whole"))[-1] == 1


@pytest.mark.parametrize(
    ("conv", "head", "numbers", "parameters"),
    [
        ("same", "flat", 128, 1_334_560),
        ("full", "flat", 6272, 1_334_560),
        ("full", "max", 128, 1_334_560),
        ("unbounded", "max", 128, 1_334_560),
        ("full", "whole", 128, 285_984 + 128 * 128 * 14 * 14),
        ("full", "global", 128, 285_984),
        ("valid", "whole", 128, 285_984 + 128 * 128 * 3 * 3),
        ("reflect", "max", 128, 1_334_560),
    ],
)
def test_descriptors_are_unit_vectors_of_the_stated_length(conv, head, numbers, parameters):
    """By hand: 9 (32 + 32² + 32·64 + 64² + 64·128 + 128²) = 285 984 weights, and 128·128·8·8 of the 8×8 layer."""
    network = HardNet(conv, head)
    found = network(torch.randn(3, 1, 32, 32))
    assert found.shape == (3, numbers)
    assert torch.allclose(found.norm(dim=1), torch.ones(3))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_under_same_the_three_heads_with_a_layer_are_one():
    torch.manual_seed(0)
    networks = [HardNet("same", head).eval() for head in ("flat", "max", "whole")]
    patches = torch.randn(4, 1, 32, 32)
    for network in networks[1:]:
        network.load_state_dict(networks[0].state_dict())
    with torch.no_grad():
        flat, largest, whole = (network(patches) for network in networks)
    assert torch.equal(flat, largest)
    assert torch.equal(flat, whole)


@pytest.mark.parametrize("head", ["flat", "max"])
def test_a_map_smaller_than_the_8_by_8_layer_is_refused(head):
    with pytest.raises(UserError, match=r"^conv=valid: its last map has 3 pixels a side.*allowed: .*whole or global$"):
        HardNet("valid", head)


def test_brightness_and_contrast_do_not_count():
    """Also those of the statistics that images are normalised by; and a flat patch is no division by zero."""
    patches = torch.rand(5, 1, 32, 32, dtype=torch.float64)
    changed = normalised((patches - 0.4437) / 0.2020)
    assert torch.allclose(changed, normalised(patches), atol=1e-5)
    assert torch.allclose(changed.mean((1, 2, 3)), torch.zeros(5, dtype=torch.float64), atol=1e-9)
    assert torch.equal(normalised(torch.ones(1, 1, 32, 32)), torch.zeros(1, 1, 32, 32))


def test_weights_are_orthogonal_with_the_gain_and_nothing_else_trains():
    network = HardNet("full", "flat", gain=0.6)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            rows = module.weight.flatten(1)
            small = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
            assert torch.allclose(small, 0.36 * torch.eye(len(small)), atol=1e-4)
    assert all(p.dim() == 4 for p in network.parameters())


def test_global_under_unbounded_does_not_see_where_a_patch_lies():
    """Shifts by the total stride of 4 of a patch on its own mean, in the same frame: nothing else moves it."""
    torch.manual_seed(0)
    network = HardNet("unbounded", "global").eval().double()
    small, frame = torch.randn(1, 1, 16, 16, dtype=torch.float64), torch.zeros(2, 1, 32, 32, dtype=torch.float64)
    small -= small.mean()
    frame[0, :, 4:20, 4:20], frame[1, :, 12:28, 8:24] = small[0], small[0]
    with torch.no_grad():
        one, other = network(frame)
    assert torch.allclose(one, other, atol=1e-12)
    with torch.no_grad():
        one, other = HardNet("same", "global").eval().double()(frame)
    assert not torch.allclose(one, other, atol=1e-3)
