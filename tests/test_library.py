"""The library takes any nn.Module: what it says agrees with the theory and with dense PyTorch, and examples run."""

import doctest
from importlib import import_module

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet18, squeezenet1_1, vgg11

import equivariance
from equivariance import certified_border, position_accuracy, receptive_field, with_conv
from equivariance.audit import audit
from equivariance.errors import UserError
from equivariance.library import assertions, position, structure


@pytest.mark.parametrize("module", [structure, position, assertions], ids=lambda m: m.__name__.rpartition(".")[2])
def test_the_examples_of_the_docstrings_run(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted >= 2
    assert outcome.failed == 0


@pytest.mark.parametrize("name", [n for n in equivariance.__all__ if n[0].islower() and n != "place"])
def test_each_function_says_when_it_is_not_to_be_used_and_shows_an_example(name):
    # `halo` and `audit` of the package may be the modules of their commands, which can be called all the same.
    said = (audit if name == "audit" else getattr(import_module("equivariance.library"), name)).__doc__
    assert "Not for:" in " ".join(said.split())
    assert ">>> " in said
    assert "Args:" in said
    assert "Returns:" in said or "Raises:" in said


def test_importing_the_package_does_not_import_torch():
    import subprocess
    import sys

    code = "import sys, equivariance; assert 'torch' not in sys.modules; equivariance.place"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_whole_network_and_its_trunk_have_the_same_field_and_border():
    whole = resnet18()
    trunk = nn.Sequential(*list(whole.children())[:-2])
    assert receptive_field(whole) == receptive_field(trunk) == (435, 32)
    assert certified_border(whole) == certified_border(trunk) == 433


def test_modes_of_modules_stay_as_they_were():
    net = mobilenet_v3_small().train()
    net.features[1].eval()
    before = [module.training for module in net.modules()]
    assert receptive_field(net).stride == 32
    assert certified_border(net) is not None
    assert [module.training for module in net.modules()] == before


def test_grey_images_and_places_out_of_phase():
    net = nn.Sequential(nn.Conv2d(1, 2, 5, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    assert receptive_field(net, channels=1) == (5, 2)
    assert certified_border(net, 8, 24, channels=1) is not None
    assert certified_border(net, 8, 25, channels=1) is None


def test_unbounded_sees_no_edge_and_keeps_the_weights():
    net = resnet18().double().eval()
    free = with_conv(net, "unbounded")
    assert certified_border(free) == 0
    assert free.trunk is net
    images = torch.zeros(2, 3, 120, 120).double()
    picture = torch.randn(3, 24, 24, dtype=torch.float64)
    images[0, :, 10:34, 20:44], images[1, :, 74:98, 84:108] = picture, picture
    with torch.no_grad():
        scores = free(images)
    assert torch.allclose(scores[0], scores[1], rtol=1e-12, atol=1e-12)


def test_polyphase_is_certified_at_any_two_places_where_there_is_no_edge():
    free = with_conv(resnet18().double().eval(), "unbounded", downsample="polyphase")
    assert certified_border(free, canvas=125) == 0
    assert receptive_field(free) == (435, 32)
    assert certified_border(with_conv(resnet18(), "unbounded"), canvas=125) is None
    assert certified_border(with_conv(resnet18(), "same", downsample="polyphase")) is None  # the edge chooses, too
    images = torch.zeros(2, 3, 96, 96).double()
    picture = torch.randn(3, 24, 24, dtype=torch.float64)
    images[0, :, 10:34, 20:44], images[1, :, 63:87, 71:95] = picture, picture
    with torch.no_grad():
        scores = free(images)
        strided = with_conv(free.trunk, "unbounded")(images)
    assert torch.allclose(scores[0], scores[1], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(strided[0], strided[1], rtol=1e-3, atol=1e-3)


def test_position_is_measured_of_the_network_as_it_samples():
    torch.manual_seed(0)
    net, pictures = squeezenet1_1(), torch.rand(8, 3, 16, 16)
    free, edged = (with_conv(net, conv, downsample="polyphase") for conv in ("unbounded", "same"))
    assert position_accuracy(free, pictures, canvas=41).certified
    found = position_accuracy(edged, pictures, canvas=41)  # its images choose phases of their own: never on a canvas
    assert found.accuracy == 1.0
    assert not found.certified


def test_a_blur_widens_what_units_see():
    assert receptive_field(with_conv(resnet18(), "same", downsample="blur", size=5)).field > 435
    border = certified_border(with_conv(resnet18(), "same", downsample="blur", size=5))
    assert border is not None
    assert border > 433
    assert certified_border(with_conv(resnet18(), "unbounded", downsample="blur")) == 0


def test_what_cannot_be_is_said_in_one_line():
    with pytest.raises(UserError, match=r"^conv=fuul: allowed: same, valid, full"):
        with_conv(resnet18(), "fuul")
    with pytest.raises(UserError, match=r"^downsample=blurred: allowed: strided, blur, polyphase$"):
        with_conv(resnet18(), "same", downsample="blurred")
    with pytest.raises(UserError, match=r"^downsample=polyphase: each image chooses"):
        receptive_field(with_conv(resnet18(), "same", downsample="polyphase"))
    with pytest.raises(UserError, match=r"^what adaptive_avg_pool2d sees is not known: its bins"):
        receptive_field(vgg11())
    with pytest.raises(AttributeError, match="certified_boarder"):
        equivariance.certified_boarder  # noqa: B018


def small(seed=0):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 5)).eval()


PICTURES = torch.rand(24, 3, 20, 20, generator=torch.Generator().manual_seed(1))


def test_position_is_told_below_the_certified_border_and_not_from_it_on():
    net = small()
    border = certified_border(net, 20, 84)
    assert 0 < border < 16
    near = equivariance.position_accuracy(net, PICTURES)
    assert (near.accuracy, near.n, near.certified) == (1.0, 24, False)
    assert near.low > 0.5
    assert equivariance.position_accuracy(net, PICTURES, border) == (0.5, 0.5, 24, True)
    assert equivariance.position_accuracy(with_conv(net, "unbounded"), PICTURES).certified


def test_the_leak_distance_lies_between_the_borders_that_were_measured():
    net = small()
    found = equivariance.leak_distance(net, PICTURES, resolution=1)
    assert found.bound == certified_border(net, 20, 84)
    assert found.pixels < found.not_decodable <= found.bound
    assert equivariance.position_accuracy(net, PICTURES, found.pixels).low > 0.5
    assert equivariance.position_accuracy(net, PICTURES, found.not_decodable).low <= 0.5
    unknown = equivariance.leak_distance(net, PICTURES, canvas=41, resolution=4, limit=8)  # places out of phase
    assert unknown.bound is None


def test_the_library_measures_what_the_experiment_measures(config, workdir):
    """Same network, pictures and fit by both roads."""
    from equivariance.data import load_pictures
    from equivariance.experiments import compute
    from equivariance.models import build

    run = config("data.pictures=6", "optim=probe", "init=frozen-random", "device=cpu", "experiment.picture=24",
                 "experiment.canvas=88", "arch=squeezenet1_0")  # fmt: skip
    splits = load_pictures(run.data, 24)
    train, test = (splits.tensor(s, run.arch.mean, run.arch.std) for s in ("train", "test"))
    model = build(run.arch, run.init, "same", "max", run.seed).trunk.eval()
    found = equivariance.position_accuracy(model, torch.cat([train, test]), canvas=88)
    assert found.accuracy == compute.run(run).metrics["accuracy"]


def test_a_network_that_knows_is_named_with_its_first_layer_that_does():
    equivariance.assert_position_blind(with_conv(small(), "unbounded"), picture=20, canvas=84)
    with pytest.raises(AssertionError, match=r"differ by [\d.e+]+ % of the largest at border 0; first to differ: 2"):
        equivariance.assert_position_blind(DeepPadding(), picture=20, canvas=84)


class DeepPadding(nn.Module):
    """Pads nowhere but in its second convolution."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        for name, layer in {"1": nn.Conv2d(3, 8, 1), "2": nn.Conv2d(8, 8, 3, padding=1)}.items():
            self.add_module(name, layer)

    def forward(self, x):
        return getattr(self, "2")(getattr(self, "1")(x).relu()).amax((2, 3))


@pytest.mark.parametrize("pictures", [torch.rand(3, 3, 8, 8), torch.rand(8, 3, 8, 9), torch.rand(8, 8)])
def test_pictures_that_cannot_be_used_are_refused_in_one_line(pictures):
    with pytest.raises(UserError, match=r"^pictures: \[[\d, ]+\]; allowed: \[n, C, side, side\] with n of 4 or more$"):
        equivariance.position_accuracy(small(), pictures)


def test_a_network_without_a_pool_over_space_is_refused():
    flat = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 256 * 256, 2))
    with pytest.raises(UserError, match="no map is pooled over all of space"):
        equivariance.position_accuracy(flat, PICTURES)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pictures_of_any_channels_and_type_are_measured_and_the_model_is_left_as_it_is(channels, dtype):
    layers = [nn.Conv2d(channels, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    pictures = torch.rand(12, channels, 16, 16, generator=torch.Generator().manual_seed(0), dtype=dtype)
    found = equivariance.position_accuracy(net, pictures)
    assert (found.n, found.certified) == (12, False)
    assert equivariance.leak_distance(net, pictures, resolution=1).bound is not None
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert net[0].weight.dtype == torch.float32
