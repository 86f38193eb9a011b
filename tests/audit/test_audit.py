"""The report of a network: against theory, against networks that have no edge, and as a newcomer asks for it."""

import json

import pytest
import torch
from torch import nn

from equivariance import audit, with_conv
from equivariance.audit import Missing
from equivariance.audit.__main__ import main
from equivariance.audit.decisions import consistency
from equivariance.audit.edge import edge
from equivariance.errors import UserError

NET = "arch=python", "arch.name=tests.audit.test_audit:Small"


class Small(nn.Sequential):
    def __init__(self, padding=1, kind=nn.BatchNorm2d):
        torch.manual_seed(0)
        layers = (
            nn.Conv2d(3, 4, 3, padding=padding),
            kind(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, stride=2, padding=padding),
        )
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


class Normed(Small):
    def __init__(self):
        super().__init__(kind=lambda channels: nn.GroupNorm(1, channels))


def test_a_resnet_is_what_theory_says():
    from torchvision.models import resnet18

    with torch.device("meta"):
        net = resnet18()
    found = audit(net, input_size=224, remedies=())
    assert (found.receptive_field.field, found.receptive_field.stride, found.phases) == (435, 32, 1024)
    assert (found.certified_border, found.even_sizes, len(found.padding.uneven)) == (433, (193, 225), 5)
    assert found.edge == Missing("the network has no weights")
    assert "193 and 225 pixels" in str(found)


def test_the_edge_is_felt_as_far_in_as_kernels_reach():
    found = edge(Small(), 9)
    assert found.reference == "unbounded"
    first, *_, last = found.layers
    assert (first.layer, first.units, first.rows, first.columns) == ("0 (Conv2d)", (9, 9), (1, 1), (1, 1))
    assert first.share == pytest.approx(32 / 81)
    assert (last.layer, last.units, last.rows) == ("3 (Conv2d)", (5, 5), (1, 1))


@pytest.mark.parametrize("make", [lambda: Small(0), lambda: with_conv(Small(), "unbounded"), lambda: Small(0).double()])
def test_without_padding_no_layer_feels_an_edge(make):
    found = edge(make(), 9)
    assert len(found.layers) == 4
    assert found.first is None


def test_a_constant_shows_no_edge_to_rules_that_continue_it():
    with pytest.raises(UserError, match="conv=reflect, which continues it"):
        edge(with_conv(Small(), "reflect"), 9)


@torch.no_grad()
def test_consistency_is_all_where_nothing_leaks_and_counts_what_changes():
    pictures = torch.rand(6, 3, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = consistency(with_conv(Small().double(), "unbounded", downsample="polyphase"), pictures, 16)
    assert (found.moved.value, found.one_pixel_worst.value, found.moved.n) == (1.0, 1.0, 6)

    class Where(nn.Module):  # says which half the picture's centre of mass is in
        def forward(self, images):
            rows = torch.arange(16.0, dtype=images.dtype)
            mean = (images.sum((1, 3)) * rows).sum(1) / images.sum((1, 2, 3))
            return torch.stack([7.6 - mean, mean - 7.6], 1)

    found = consistency(Where(), torch.ones(4, 3, 6, 6, dtype=torch.float64), 16)
    # In the middle the centre is 7.5: a row down it is 8.5, in three of eight directions.
    assert (found.one_pixel.value, found.one_pixel_worst.value, found.floor) == (5 / 8, 0.0, 0.0)
    assert found.moved.value < 1.0


def test_each_figure_is_there_or_says_why_not():
    pictures = torch.rand(4, 3, 5, 5)
    found = audit(Normed(), pictures, input_size=16, remedies=(("unbounded", "strided"),))
    assert str(found.statistics[0]).startswith("1 (GroupNorm)")
    found = audit(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 2)), input_size=8, remedies=())
    assert "Flatten" in found.receptive_field.reason
    assert found.leak_distance == Missing("no pictures were given")
    assert found.edge.layers[0].felt is False
    assert json.loads(json.dumps(found.plain(), allow_nan=False))["phases"]["reason"]


def test_the_command_prints_the_report_and_strict_json(capsys):
    assert main([*NET, "input_size=16", "remedies=no"]) == 0
    assert "receptive field     5 pixels, stride 2" in capsys.readouterr().out
    assert main([*NET, "input_size=16", "pictures=4", "side=8", "remedies=no", "--format", "json"]) == 0
    out = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert out["receptive_field"] == {"field": 5, "stride": 2}
    assert out["consistency"]["moved"]["n"] == out["pictures"] == 4


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["border=3"], "border=3: allowed: arch"),
        (["pictures=3"], "pictures=3: allowed: 0, or 4 and more"),
        (["input_size=7"], "input_size=7: allowed: an integer from 8"),
        (["remedies=maybe"], "remedies=maybe: allowed: yes, no"),
        (["pictures=4", "side=56", "input_size=57"], "side=56: allowed: 4 to 55"),
        (["arch=torchvision", "arch.name=resnet19"], "resnet18"),
        ([*NET, "init.checkpoint=nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_mistakes_are_one_line(keys, said, capsys):
    assert main(keys) == 2
    error = capsys.readouterr().err
    assert (error.startswith("error: "), error.count("\n")) == (True, 1)
    assert said in error
