"""Networks that are more than a function of their images: what they keep, ask for, and make for themselves."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance import certified_border, receptive_field
from equivariance.canvas import cost, place
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.reach import Unseen, reach

from .test_attacks import Leaf

C = 4


def canvas():
    pictures = torch.randn(2, C, 3, 3, generator=torch.Generator().manual_seed(1))
    return place(pictures, (9, 8), [(1, 2), (5, 1)], (0.3, -0.2, 0.5, 0.1))


class Keeping(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.seen, self.sizes, self.before, self.calls = nn.Conv2d(C, C, 3), [], {}, None, 0
        self.register_buffer("mean", torch.ones(1, C, 1, 1))
        self.register_buffer("grid", torch.ones(C, 1, 1))

    def forward(self, x):
        self.calls += 1
        self.seen.append(x)
        self.sizes[x.shape] = self.grid = self.grid.to(x.device)
        self.mean.mul_(0.9)
        x = x * self.grid if self.before is None else x + self.before
        self.before = x
        return self.conv(x) - self.mean


@pytest.mark.parametrize("read", [lambda net: reach(net, 9, 8, channels=C), lambda net: cost(net, canvas())])
def test_a_network_is_left_as_it_was(read):
    net = Keeping()
    read(net)
    assert (net.seen, net.sizes, net.before, net.calls) == ([], {}, None, 0)
    assert torch.equal(net.mean, torch.ones(1, C, 1, 1))
    assert net(torch.zeros(1, C, 9, 8)).shape == (1, C, 7, 6)


def test_reading_a_network_gives_its_lazy_layers_their_shape():
    net = nn.Sequential(nn.LazyConv2d(3, 5), nn.ReLU())
    assert reach(net, 9, 8, channels=C).sights[0].field == 5
    assert net(torch.zeros(1, C, 9, 8)).shape == (1, 3, 5, 4)


def test_what_a_network_raises_itself_is_told_in_one_line_with_its_module():
    def call(x):
        if x.shape[2] % 32:
            raise AssertionError("height must be\na multiple of 32")
        return F.avg_pool2d(x, 2)

    net = nn.Sequential(nn.ReLU(), Leaf(call))
    with pytest.raises(UserError, match=r"height must be .*1 \(Leaf\)") as refused:
        reach(net, 33, 33)
    assert "\n" not in str(refused.value)
    assert receptive_field(net).stride == 2
    assert certified_border(net) is not None
    with pytest.raises(UserError, match="channels"):
        receptive_field(nn.Conv2d(3, 4, 3), channels=1)


@pytest.mark.parametrize(
    "ask", [lambda x: float(torch.arange(3, device=x.device)[1]), lambda x: x.mean((2, 3)).numpy()]
)
def test_a_network_that_asks_for_numbers_where_there_are_none_is_refused(ask):
    with pytest.raises(UserError, match="Leaf"):
        reach(Leaf(lambda x: (ask(x), x)[1]), 9, 8)


def test_a_network_that_adds_its_place_is_refused_before_images_that_no_memory_holds():
    sides = []

    def call(x):
        sides.append(x.shape[2])
        return x + torch.ones(x.shape[2:])

    assert certified_border(Leaf(call)) is None
    assert max(sides) < 500


def test_pooled_numbers_take_part_wherever_an_argument_holds_them():
    def call(x):
        s = x.mean((2, 3))
        return F.batch_norm(x, s[0], s[0].abs())

    assert len(reach(Leaf(call), 9, 8, channels=C).pools) == 1
    with pytest.raises(Unseen, match="number"):
        reach(Leaf(lambda x: F.pad(x, (1, 1), value=x.mean((2, 3))[0, 0])), 9, 8, channels=C)


@pytest.mark.slow
def test_a_compiled_network_is_read_as_it_is_written():
    net = nn.Sequential(nn.Conv2d(C, C, 3, padding=1), nn.ReLU())
    compiled = torch.compile(net, backend="eager")
    assert reach(compiled, 9, 8, channels=C).sights == reach(net, 9, 8, channels=C).sights
    with torch.no_grad():
        for conv, images in (("full", canvas().dense()), ("same", canvas()), ("same", canvas().dense())):
            found, wanted = (FeatureMap(trunk, conv)(images) for trunk in (compiled, net))
            found, wanted = (each.dense() if hasattr(each, "dense") else each for each in (found, wanted))
            assert torch.equal(found, wanted)
