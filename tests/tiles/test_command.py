"""`python -m equivariance.halo`: a thin adapter over the function."""

import pytest
import yaml

import equivariance
from equivariance.halo import main

NET = "arch=python", "arch.name=torch.nn:Conv2d"
CONV = "arch.kwargs={in_channels: 1, out_channels: 2, kernel_size: 5, padding: 2}"


def test_it_prints_what_the_function_says(capsys):
    assert main([*NET, CONV, "channels=1"]) == 0
    assert "2 pixels before a tile, 2 after it" in capsys.readouterr().out
    assert main(["arch=python", "arch.name=torch.nn:GroupNorm", "arch.kwargs={num_groups: 1, num_channels: 3}"]) == 1
    assert "(GroupNorm)" not in capsys.readouterr().err


def test_bioimageio_has_its_terms(capsys):
    assert main([*NET, CONV, "channels=1", "--format", "bioimageio"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert found["inputs"][0]["axes"][0] == {"type": "space", "id": "y", "size": {"min": 5, "step": 1}}
    axis = found["outputs"][0]["axes"][1]
    assert (axis["halo"], axis["scale"], axis["size"]["offset"]) == (2, 1, 0)


def test_segmentation_networks_of_torchvision(capsys):
    name = "arch.name=lraspp_mobilenet_v3_large"
    assert main(["arch=torchvision", name, "output=out"]) == 1
    assert "AdaptiveAvgPool2d" in capsys.readouterr().out
    assert main(["arch=torchvision", name]) == 2
    assert "output=out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["border=3"], "border=3: allowed: arch"),
        (["dims=4"], "dims=4: allowed: an integer from 1 to 3"),
        (["arch=resnet18"], "no map"),
        (["arch=bagnet33"], "arch.library=equivariance: allowed"),
        (["arch=torchvision", "arch.name=fcn_resnet51"], "fcn_resnet50"),
        (["arch=python", "arch.name=nowhere:Net"], "cannot be imported"),
        ([*NET, CONV], "fails on images"),
        (["arch=python"], "arch.name"),
        (["arch.mame=x"], "no such key"),
    ],
)
def test_mistakes_are_one_line(keys, said, capsys):
    assert main(keys) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error


def test_the_function_has_the_modules_name():
    from torch import nn

    assert equivariance.halo(nn.Conv2d(3, 3, 5)).before == (2, 2)
