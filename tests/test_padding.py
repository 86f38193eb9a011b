"""Padding that is used, against the taps of torch's own convolution."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from equivariance import assert_even_padding
from equivariance.errors import UserError
from equivariance.library.padding import even_sizes, padding


def by_gradient(side, kernel, stride, dilation, before, after):
    """Which entries of a padded axis a convolution's outputs depend on: used before and after, dropped inside."""
    row = torch.ones(1, 1, before + side + after, dtype=torch.float64, requires_grad=True)
    F.conv1d(row, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=dilation).sum().backward()
    seen = row.grad[0, 0] > 0
    inside = seen[before : before + side].nonzero().flatten().tolist()
    dropped = (inside[0], side - 1 - inside[-1]) if inside else (side, 0)
    return (int(seen[:before].sum()), int(seen[before + side :].sum())), dropped


@given(*(st.integers(1, n) for n in (24, 7, 4, 3)), st.integers(0, 4), st.integers(0, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_used_padding_is_what_gradients_reach(side, kernel, stride, dilation, before, after, explicit):
    after = after if explicit else before
    assume(before + side + after > (kernel - 1) * dilation)
    own = 0 if explicit else before
    conv = nn.Conv2d(1, 1, (1, kernel), (1, stride), (0, own), (1, dilation))
    net = nn.Sequential(nn.ZeroPad2d((before, after, 0, 0)), nn.ReLU(), conv) if explicit else conv
    (found,) = padding(net, side, channels=1).layers
    used, dropped = by_gradient(side, kernel, stride, dilation, before, after)
    assert (found.padded[1], found.used[1], found.dropped[1]) == ((before, after), used, dropped)
    assert found.even == (used[0] == used[1])


@pytest.mark.parametrize(("size", "even"), [(224, False), (225, True), (193, True), (256, False)])
def test_a_resnet_is_even_at_multiples_of_its_stride_plus_one(size, even):
    """By the arithmetic of the paper: s divides side + 2 p - k at conv1, maxpool and the three strided blocks."""
    from torchvision.models import resnet18

    with torch.device("meta"):
        net = resnet18()
    side, whole = size, True
    for kernel, pad in ((7, 3), (3, 1), (3, 1), (3, 1), (3, 1)):
        whole &= (side + 2 * pad - kernel) % 2 == 0
        side = (side + 2 * pad - kernel) // 2 + 1
    assert whole == even == (not padding(net, size).uneven)


def test_the_assertion_names_the_first_layer_and_the_way_out():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=4, padding=1), nn.ReLU())
    with pytest.raises(AssertionError, match=r"1 \(Conv2d\).*rows: 1 and 0 of 1 and 1.*even at 13 and 17 pixels"):
        assert_even_padding(net, 14)
    assert_even_padding(net, 13)
    assert not net.eval().training


def test_a_pool_that_overhangs_is_uneven_and_so_is_padding_at_one_end():
    (pool,) = padding(nn.MaxPool2d(3, 2, ceil_mode=True), 8).layers
    assert (pool.padded[0], pool.used[0], pool.even) == ((0, 0), (0, 1), False)
    assert even_sizes(nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 1, 2)), 8, 4) == (None, None)


def test_what_cannot_be_followed_is_said():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.LazyLinear(2))
    net(torch.zeros(1, 3, 8, 8))
    found = padding(net, 8)
    assert len(found.layers) == 1
    assert "1 (Flatten)" in found.unseen
    with pytest.raises(UserError, match="Flatten"):
        assert_even_padding(net, 8)
