"""Published networks that nobody here wrote: every reader takes the convolutional ones, exactly; others are refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks._light import Light, networks
from benchmarks.coverage import READERS, row
from equivariance.models.kind import ATTENDS, CONVOLUTIONAL, ONE_SIZE, RECURRENT, kind

FEW = [
    ("torchvision", "mobilenet_v3_small"),  # gates
    ("torchvision", "shufflenet_v2_x0_5"),  # splits and shuffles of channels
    ("timm", "convnext_atto"),  # norms of a pixel's channels
    ("timm", "tf_mobilenetv3_small_minimal_100"),  # F.pad before each stride
]


@pytest.mark.parametrize(
    ("library", "name"), [FEW[0], *(pytest.param(*each, marks=pytest.mark.slow) for each in FEW[1:])]
)
def test_every_reader_takes_a_convolutional_network_exactly(library, name):
    pytest.importorskip(library)
    found = row(Light(library, name, name, CONVOLUTIONAL, 0.0))
    assert [getattr(found, reader) for reader in READERS] == ["yes"] * len(READERS), found.reasons


@pytest.mark.slow
def test_of_all_families_readers_take_nearly_all_convolutional_ones_and_refuse_the_others_in_a_line():
    pytest.importorskip("timm")
    rows = [row(light) for light in networks(["torchvision", "timm"])]
    taken = [found for found in rows if found.kind == CONVOLUTIONAL]
    assert len(taken) > 50
    for reader in READERS:
        assert not [found.name for found in rows if getattr(found, reader) == "WRONG"]
        assert not [found.name for found in taken if getattr(found, reader) == "ERROR"]
    for reader in ("canvas", "unbounded", "certificate"):
        assert sum(getattr(found, reader) == "yes" for found in taken) >= 0.95 * len(taken)
    assert not [reason for found in rows for reason in found.reasons if "\n" in reason]


class Calls(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.conv, self.lstm, self.call = nn.Conv2d(3, 4, 32, 32), nn.LSTM(4, 4, batch_first=True), call
        self.mixed = nn.Linear(49, 49)

    def forward(self, x):
        return self.call(self, self.conv(x))


def _written_out(net, x):
    tokens = x.flatten(2)
    return tokens @ tokens.transpose(1, 2).softmax(-1) @ tokens


KINDS = {
    "written out": (_written_out, ATTENDS),
    "fused": (lambda net, x: F.scaled_dot_product_attention(*(x.flatten(2).mT,) * 3), ATTENDS),
    "between channels": (lambda net, x: torch.einsum("ncl,ndl->ncd", x.flatten(2), x.flatten(2)), ATTENDS),
    "recurrent": (lambda net, x: net.lstm(x.flatten(2).mT)[0], RECURRENT),
    "over pixels": (lambda net, x: net.mixed(x.flatten(2)), ONE_SIZE),
    "own weight": (lambda net, x: (x.permute(0, 2, 3, 1) @ net.lstm.weight_hh_l0.T).flatten(1), CONVOLUTIONAL),
    "flattened": (lambda net, x: x.flatten(2).softmax(2).view_as(x), CONVOLUTIONAL),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_told_by_what_a_network_calls_and_not_by_what_is_refused(name):
    call, expected = KINDS[name]
    assert kind(Calls(call)) == expected
