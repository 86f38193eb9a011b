"""Blocks of pixels as channels, in the ways people write them, are the strided convolution by ones and zeros."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.boundary import RULES, bounded, unwrap
from equivariance.canvas import Canvas, CanvasUnsupported
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.reach import reach

COLOUR = (0.3, -0.2, 0.5)
TASK = Quadrant(9, 33, 15, COLOUR)  # images of 63 pixels: whole blocks of 3, not of 2


def _convolved(x):
    return F.conv2d(x, torch.eye(9, dtype=torch.float64).reshape(9, 1, 3, 3).repeat(3, 1, 1, 1), None, 3, 0, 1, 3)


def _viewed(x):
    n, c, h, w = x.shape
    return x.view(n, c, h // 3, 3, w // 3, 3).permute(0, 1, 3, 5, 2, 4).reshape(n, 9 * c, h // 3, w // 3)


def _channels_last(x):
    n, c, h, w = x.shape
    y = x.permute(0, 2, 3, 1).reshape(n, h // 3, 3, w // 3, 3, c)
    return y.permute(0, 5, 2, 4, 1, 3).reshape(n, 9 * c, h // 3, w // 3)


WAYS = {"view": _viewed, "channels last": _channels_last, "function": lambda x: F.pixel_unshuffle(x, 3)}


class Net(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        torch.manual_seed(0)
        self.blocks, self.conv = blocks, nn.Conv2d(27, 4, 3, padding=1).double()

    def forward(self, x):
        return self.conv(self.blocks(x))


@pytest.fixture
def canvas():
    picture = torch.randn(1, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return TASK.both(picture)


@pytest.mark.parametrize("way", WAYS)
def test_every_reader_takes_them_for_that_convolution(way, canvas):
    net, wanted = Net(WAYS[way]), Net(_convolved)
    with torch.no_grad():
        found = net(canvas)
        assert isinstance(found, Canvas)
        torch.testing.assert_close(found.dense(), net(canvas.dense()), rtol=0, atol=1e-12)
        for rule in RULES.values():
            if way != "function" and rule.outputs == "touching":  # a written shape has no room for what grew
                with pytest.raises(UserError, match="reshape of"):
                    net(bounded(canvas.dense(), rule, COLOUR))
                continue
            one, other = (unwrap(n(bounded(canvas.dense(), rule, COLOUR))) for n in (net, wanted))
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert reach(net, 63, 63).sights == reach(wanted, 63, 63).sights


def test_a_view_as_blocks_shares_memory_and_other_blocks_are_refused(canvas):
    def written(x):
        parts = x.view(2, 3, 21, 3, 21, 3)
        x.add_(1.0)
        return parts

    with pytest.raises(CanvasUnsupported, match="shares memory"):
        written(canvas)
    for shape in ((2, 3, 21, 3, 7, 9), (2, 3, 21, 3, 63), (2, 9, 21, 63)):
        with pytest.raises(CanvasUnsupported, match="view of"):
            canvas.view(*shape)
    with pytest.raises(CanvasUnsupported, match="whole blocks"):
        F.pixel_unshuffle(canvas, 2)
