"""The library takes any nn.Module: what it says agrees with the theory and with dense PyTorch, and examples run."""

import doctest

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet18, vgg11

import equivariance
from equivariance import certified_border, library, receptive_field, with_conv
from equivariance.errors import UserError


def test_the_examples_of_the_docstrings_run():
    outcome = doctest.testmod(library)
    assert outcome.attempted >= 7
    assert outcome.failed == 0


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


def test_what_cannot_be_is_said_in_one_line():
    with pytest.raises(UserError, match=r"^conv=fuul: allowed: same, valid, full"):
        with_conv(resnet18(), "fuul")
    with pytest.raises(UserError, match=r"^what adaptive_avg_pool2d sees is not known: its bins"):
        receptive_field(vgg11())
    with pytest.raises(AttributeError, match="certified_boarder"):
        equivariance.certified_boarder  # noqa: B018
