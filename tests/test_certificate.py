"""Certificates, reproducible to the byte, and assertions for people's own tests, which name the layer that breaks."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from equivariance import assert_exact_tiles, certificate
from equivariance.errors import UserError

TEXT = """
import torch
from torch import nn
from equivariance import certificate
torch.manual_seed(3)
print(certificate(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1)), 9), end="")
"""


def net():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1))


def test_a_certificate_is_the_same_bytes_in_another_process_and_says_what_is_proved():
    text = str(certificate(net(), 9))
    other = subprocess.run([sys.executable, "-c", TEXT], capture_output=True, text=True, check=True, timeout=100)
    assert other.stdout == text
    found = json.loads(text)["proved"]
    assert (found["certified_border"], found["receptive_field"], found["even_padding"]) == (
        2,
        {"field": 3, "stride": "1"},
        True,
    )
    assert "no map" in found["exact_tiles"]["none"]


def test_any_bit_of_the_weights_and_any_setting_is_another_certificate():
    one, weights, setting = net(), net(), net()
    with torch.no_grad():
        weights[0].bias[0] = torch.nextafter(weights[0].bias[0], torch.tensor(9.0))
    setting[0].padding_mode = "circular"
    assert certificate(one).weights != certificate(weights).weights
    assert certificate(one).structure == certificate(weights).structure
    assert certificate(one).structure != certificate(setting).structure


def test_code_of_ones_own_counts_and_weights_must_be_there():
    class Mine(nn.Sequential):
        pass

    (name,) = certificate(Mine(nn.Conv2d(3, 1, 3))).code
    assert name.endswith("Mine")
    with torch.device("meta"), pytest.raises(UserError, match="no weights"):
        certificate(nn.Conv2d(3, 1, 3))


def test_what_forbids_exact_tiles_is_named(assert_position_blind, assert_even_padding):
    assert_exact_tiles(nn.Conv2d(3, 1, 5, padding=2), halo=2)
    with pytest.raises(AssertionError, match="a halo of 1 pixels is too small: tiles need 2"):
        assert_exact_tiles(nn.Conv2d(3, 1, 5, padding=2), halo=1)
    with pytest.raises(AssertionError, match=r"no tiles are exact: 1 \(InstanceNorm2d\)"):
        assert_exact_tiles(nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)))
    assert_even_padding(nn.Conv2d(3, 1, 3, padding=1), 8)
    assert_position_blind(net(), border=2)
    with pytest.raises(AssertionError, match="first to differ: 1"):
        assert_position_blind(net(), border=0)


def test_the_plugin_gives_the_assertions_to_any_project(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "from torch import nn\n"
        "def test_it(assert_exact_tiles):\n    assert_exact_tiles(nn.Conv2d(3, 1, 5, padding=2), halo=1)\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert "tiles need 2 to be exact" in found.stdout
    assert "halo_of" not in found.stdout  # the failure is shown where it is asserted
