"""The report of a network: against theory, against networks that have no edge, and as a newcomer asks for it."""

import json

import pytest
import torch
from torch import nn

from equivariance import audit, with_conv
from equivariance.audit import Missing
from equivariance.audit.__main__ import main
from equivariance.audit.decisions import Consistency, Share, consistency, diagonal
from equivariance.audit.dense import dense
from equivariance.audit.edge import edge
from equivariance.audit.leaks import CELLS, leaks
from equivariance.audit.maps import maps
from equivariance.audit.shifts import shifts
from equivariance.audit.surroundings import contrast
from equivariance.errors import UserError
from sweeps.tracking.mirror import Mirror
from tests.warm import typed

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


def test_the_command_prints_the_report_and_strict_json(capsys, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert main([*NET, "input_size=16", "remedies=no"]) == 0
    assert main([*NET, "input_size=16", "remedies=no"]) == 0  # again: from its record
    assert "receptive field     5 pixels, stride 2" in capsys.readouterr().out
    assert main([*NET, "input_size=16", "pictures=4", "side=8", "remedies=no", "--format", "json"]) == 0
    out = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert out["receptive_field"] == {"field": 5, "stride": 2}
    assert out["consistency"]["moved"]["n"] == out["pictures"] == 4


def test_a_sweep_over_networks_is_a_run_each_recorded_and_logged(folder, monkeypatch):
    lines = "from torch import nn", "def one(): return nn.Conv2d(3, 2, 3)", "def two(): return nn.Conv2d(3, 2, 5, 2)"
    (folder / "nets.py").write_text("\n".join(lines))
    keys = "arch=python", "input_size=16", "remedies=no", "device=cpu", "hydra.launcher.workers=1"
    done = typed(folder, "equivariance.audit", "-m", "arch.name=nets:one,nets:two", *keys)
    assert (done.returncode, "2 runs: 2 computed" in done.stdout) == (0, True), done.stderr
    assert "field 5" in done.stdout
    assert len(list((folder / "runs" / "audit").glob("*/report.txt"))) == 2
    monkeypatch.chdir(folder)
    assert set(Mirror(None).read("audit")["metrics.receptive_field"]) == {3, 5}, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["border=3"], "border=3: allowed: arch"),
        (["optim.lr=3"], "optim.lr=3: allowed: arch"),
        (["init=scratch"], "init=scratch: allowed: frozen-random"),
        (["pictures=3"], "pictures=3: allowed: 0, or 4 and more"),
        (["input_size=7"], "input_size=7: allowed: an integer from 8"),
        (["remedies=maybe"], "remedies=maybe: allowed: yes, no"),
        (["pictures=4", "side=56", "input_size=57"], "side=56: allowed: 4 to 55"),
        (["arch=torchvision", "arch.name=resnet19"], "resnet18"),
        ([*NET, "init.checkpoint=nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_mistakes_are_one_line(keys, said, capsys, workdir):
    assert main(keys) == 2
    error = capsys.readouterr().err
    assert (error.startswith("error: "), error.count("\n")) == (True, 1)
    assert said in error


def test_pictures_of_layers_show_where_the_edge_is_felt():
    first = edge(Small(), 9).layers[0]
    ring = ["".join("0" if 0 < x < 8 and 0 < y < 8 else "1" for x in range(9)) for y in range(9)]
    assert ["".join("1" if d != "0" else "0" for d in row) for row in first.picture] == ring


@torch.no_grad()
def test_true_surroundings_differ_from_padding_as_far_in_as_kernels_reach():
    found = contrast(Small(), 16)
    assert found.layers[0].contrast > 0.1
    assert found.layers[0].centre == 0  # three by three taps reach one unit in
    assert all(layer.contrast == 0 for layer in contrast(with_conv(Small(0), "valid"), 16).layers)
    net = nn.Conv2d(3, 2, 3, padding=1)
    net.weight.zero_()
    net.bias.fill_(1.0)
    net.weight[0, :, 0] = 0.0
    assert contrast(net, 16).layers == ()  # a map without any spread has nothing to compare with


@torch.no_grad()
def test_a_channel_that_fires_at_padding_alone_is_aware_of_it():
    net = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    net.weight.zero_()
    net.weight[:, :, 1, 1] = 1.0
    net.weight[1, :, 1, :] = 1.0

    class Lit(nn.Module):  # noise around 10: zeros are far from it
        def __init__(self):
            super().__init__()
            self.layer = net

        def forward(self, images):
            return self.layer(images + 10)

    (layer,) = contrast(Lit(), 16, channels=1).layers
    assert (layer.aware, layer.of, layer.channels) == (1, 2, (1,))


def test_dense_output_has_a_halo_a_seam_and_batch_mates():
    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3, padding=1)
            self.body = nn.Sequential(*layers)

        def forward(self, images):
            return {"out": self.body(images)}

    torch.manual_seed(0)
    found = audit(Parts(), input_size=16, output="out", remedies=())
    assert (found.dense.halo.before, found.dense.mates.depth) == ((2, 2), 1)
    # Zeros of the image are what the first layer pads with; what it makes of them is not what the second does.
    assert found.dense.mates.share == pytest.approx((16**2 - 15**2) / 16**2)
    assert 0 < found.dense.seam < 1
    assert found.edge.layers[0].layer == "body.0 (Conv2d)"
    assert json.loads(json.dumps(found.plain(), allow_nan=False))["dense"]["mates"]["padded"] == 64
    assert "output=out" in audit(Parts(), input_size=16, remedies=()).dense.reason
    assert isinstance(audit(Small(), input_size=16, remedies=()).dense, Missing)
    assert dense(nn.Conv2d(3, 1, 1), 16).mates.share == 0


@torch.no_grad()
def test_accuracy_by_place_needs_labels_and_counts():
    class Half(nn.Module):  # class 1 where the picture is in the lower half
        def forward(self, images):
            lower = images[:, :, 8:].sum((1, 2, 3)) > images[:, :, :8].sum((1, 2, 3))
            return torch.stack([~lower, lower], 1).double()

    found = diagonal(Half(), torch.ones(4, 3, 4, 4, dtype=torch.float64), torch.zeros(4, dtype=torch.int64), 16, 5)
    assert (found.places, [s.value for s in found.accuracy]) == ((0, 3, 6, 9, 12), [1, 1, 1, 0, 0])
    with pytest.raises(UserError, match="labels: 2; allowed: 0 to 1"):
        diagonal(Half(), torch.ones(4, 3, 4, 4), torch.full((4,), 2), 16)


def test_boundary_and_phase_are_told_apart_picture_by_picture():
    def of(*each):
        share = Share(sum(each) / len(each), 0.0, 1.0, len(each))
        return Consistency(share, share, share, share, None, 0.0, each)

    cells = dict(zip(CELLS, (of(0.2, 0.4), of(0.4, 0.6), of(0.7, 0.9), of(1.0, 1.0)), strict=True))
    found = leaks(cells)
    assert (found.boundary.value, found.phase.value) == pytest.approx((0.5, 0.2))  # (.5 + .5) / 2, (.2 + .2) / 2
    assert (found.interaction.value, found.interaction.n) == (pytest.approx(0.0), 2)  # 0.6 - 0.5 and 0.4 - 0.5
    del cells["unbounded", "polyphase"]
    with pytest.raises(UserError, match=r"no consistency is known under unbounded\+polyphase"):
        leaks(cells)


def test_a_network_that_feels_the_edge_alone_loses_nothing_to_the_phase():
    class Even(nn.Module):  # without strides; tells whether the edge shines brighter than the picture
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3, padding=1)
            with torch.no_grad():
                self.conv.weight.copy_(torch.stack([-torch.ones(3, 3, 3), torch.ones(3, 3, 3)]))
                self.conv.bias.copy_(torch.tensor([30.0, 0.0]))

        def forward(self, images):
            return self.conv(images + 1).amax((2, 3))

    remedies = tuple(cell for cell in CELLS if cell != ("same", "strided"))
    found = audit(Even(), torch.rand(4, 3, 5, 5), input_size=16, remedies=remedies).leaks
    assert (found.phase.value, found.interaction.value, found.boundary.n) == (0, 0, 4)
    alone = audit(Even(), torch.rand(4, 3, 5, 5), input_size=16, remedies=())
    assert "no consistency is known under same+polyphase" in alone.leaks.reason


def test_a_layer_moves_with_the_picture_but_for_the_edge():
    pictures = torch.rand(3, 3, 5, 5)
    found, dense = (shifts(Small(), pictures, 24, 2, engine) for engine in ("auto", "dense"))
    assert [layer.layer for layer in found.layers] == ["0 (Conv2d)", "1 (BatchNorm2d)", "2 (ReLU)", "3 (Conv2d)"]
    errors, others = ([layer.error for layer in each.layers] for each in (found, dense))
    assert errors == pytest.approx(others, rel=1e-4)
    assert errors[0] == 0  # zeros pad a picture on zeros
    assert errors[3] > 0.001  # but not what a bias has made of them
    assert {layer.error for layer in shifts(Small(0), pictures, 24, 2).layers} == {0.0}
    with pytest.raises(UserError, match="cannot be moved by 32, the period, on 24"):
        shifts(Small(), pictures, 24, 32)


def test_layers_that_answer_with_no_map_have_no_edge():
    class Odd(nn.Module):  # an operation that no reader knows, a map after it, then tokens of one head
        def __init__(self):
            super().__init__()
            self.map, self.tokens = nn.ReLU(), nn.Identity()

        def forward(self, images):
            return self.tokens(self.map(torch.fft.fft2(images).real).flatten(2).transpose(1, 2)[:, None])

    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Odd())
    assert maps(net, 16) == {"0 (Conv2d)", "1.map (ReLU)"}
    assert [layer.layer for layer in edge(net, 16).layers] == ["0 (Conv2d)", "1.map (ReLU)"]
    last = nn.Sequential(nn.Conv2d(3, 4, 1), Channels(nn.Conv2d(4, 4, 3, padding=1)))
    assert {layer.layer for layer in contrast(last, 16).layers} == {"0 (Conv2d)", "1.conv (Conv2d)"}


class Channels(nn.Module):
    """Channels last, as some norms want them: rows stand where channels do in a map."""

    def __init__(self, conv):
        super().__init__()
        self.conv, self.norm = conv, nn.LayerNorm(4)

    def forward(self, images):
        return self.norm(self.conv(images).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t"])
def test_a_transformer_gets_what_needs_no_engine_and_a_line_for_each_other_figure(name):
    from torchvision import models

    with torch.device("meta"):
        net = models.get_model(name)
    found = audit(net, input_size=224, remedies=())
    for figure in ("receptive_field", "phases", "certified_border", "edge", "contrast", "leak_distance", "consistency"):
        missing = getattr(found, figure)
        assert isinstance(missing, Missing), figure
        assert missing.reason
        assert "\n" not in missing.reason
    assert len(found.padding.layers) >= 1  # the patches
    assert len(found.statistics) == 12  # the third leak: attention, in each of as many blocks
    assert "ttention" in found.statistics[0].layer
    assert str(found).count("none: ") >= 7


def test_labels_come_from_a_folder_with_classes(capsys, folder, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(folder)
    generator = torch.Generator().manual_seed(0)
    for number, split in enumerate(["train"] * 24 + ["val"] * 10):
        place = folder / "labelled" / split / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = torch.randint(0, 256, (16, 16, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(place / f"{number}.png")
    keys = [*NET, "data=labelled_folder", "data.root=labelled", "pictures=10", "side=8", "data.resize=8"]
    keys += ["input_size=16", "remedies=no"]
    assert main(keys) == 2
    assert "arch=tests.audit.test_audit:Small has 5 outputs and 2 classes are named" in capsys.readouterr().err
    (folder / "order.txt").write_text("x\na\ny\nb\nz\n")
    assert main([*keys, "order=order.txt", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["diagonal"]
    assert (found["mean"]["n"], found["places"]) == (10, list(range(9)))


def test_weights_that_are_not_finite_give_no_figure_that_looks_like_one():
    net = Small()
    with torch.no_grad():
        net[0].weight[0, 0, 0, 0] = float("nan")
    found = audit(net, torch.rand(4, 3, 5, 5), input_size=16, remedies=())
    for figure in (found.edge, found.contrast, found.leak_distance, found.consistency):
        assert "finite" in figure.reason
    assert found.certified_border == 4  # true of any weights
