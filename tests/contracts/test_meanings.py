"""Everything that a reader gives a meaning to is run by the contract networks."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.boundary import RULES, Bounded, bounded
from equivariance.canvas import Canvas
from equivariance.errors import UserError
from equivariance.ops import Crop, Normalise, Pad, Pixelwise, Pool, Resample, Slide, Spread, Unroll, Upsample
from equivariance.reach import Reach, reach
from tests.canvas.oracle import scene

from .networks import BETWEEN, network

DESCRIPTIONS = {Crop, Normalise, Pad, Pixelwise, Pool, Resample, Slide, Spread, Unroll, Upsample}
ONLY_SIGHT = {Resample, Spread}  # of networks whose output is a map, which no experiment pools
# What the networks between two convolutions cannot do under every type: these end the map or shrink it.
ENDINGS = {
    "crop": lambda x: x[:, :, : x.shape[2] - 1],
    "upsample": lambda x: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2),
    "flatten": lambda x: x.flatten(2),
    "spread": lambda x: F.conv_transpose2d(x, x.new_zeros(x.shape[1], 2, 2, 2)),
    "resample": lambda x: F.interpolate(x, (7, 7), mode="bilinear"),
}


class Ended(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name, self.body = name, network("gate")

    def forward(self, x):
        return ENDINGS[self.name](self.body(x))


def on_bounded(net):
    return net(bounded(scene(3, n=1, side=20).painted(), RULES["valid"]))


RUNS = {
    Canvas: lambda net: net(scene(3, n=1, side=20).canvas()),
    Bounded: on_bounded,
    Reach: lambda net: reach(net, 128, 128),
}


@pytest.mark.parametrize("reader", RUNS, ids=lambda reader: reader.__name__)
def test_every_meaning_is_run_by_the_contract_networks(reader, monkeypatch):
    run = set()

    def counted(kind, meaning, *args):
        run.add(kind)
        return meaning(*args)

    for kind, meaning in dict(reader.meanings).items():
        monkeypatch.setitem(reader.meanings, kind, partial(counted, kind, meaning))
    endings = [name for name in ENDINGS if reader is Reach or name not in ("spread", "resample")]
    for net in [*map(network, BETWEEN), network("batch norm").train(), *map(Ended, endings)]:
        try:
            with torch.no_grad():
                RUNS[reader](net)
        except UserError:
            assert reader is not Canvas
    assert run == set(reader.meanings)
    assert run <= DESCRIPTIONS
    # The order of pixels is place: only values have it.
    assert DESCRIPTIONS - run <= ({Unroll} if reader is Reach else {Unroll} | ONLY_SIGHT)
