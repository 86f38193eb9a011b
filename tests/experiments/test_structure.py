"""What an image costs, against published counts and against the layers of a network that really ran."""

import pytest
import torch
from torch import nn

from equivariance.experiments.location.structure import place, structure
from equivariance.models import build


def gmacs(run):
    return structure(run).gmacs(place(run))


@pytest.mark.parametrize(
    ("name", "published"), [("resnet18", 1.814), ("densenet121", 2.834), ("mobilenet_v2", 0.301), ("vgg16", 15.470)]
)
def test_an_image_of_224_pixels_costs_what_is_published(config, name, published):
    """torchvision's tables of pre-trained models; they count the classifier too."""
    classifier = {"vgg16": 0.1236}.get(name, 0.001)
    whole = ("experiment.picture=112", "experiment.canvas=224", "arch=torchvision", f"arch.name={name}")
    assert gmacs(config(*whole)) == pytest.approx(published - classifier, abs=1.5e-3)


@pytest.mark.parametrize("conv", ["same", "full", "unbounded"])
def test_it_is_what_the_layers_of_a_real_forward_pass_multiply(config, conv):
    run = config("experiment.picture=16", "experiment.canvas=32", f"conv={conv}", "border=5")
    model = build(run.arch, run.init, run.conv.rule, "max", 0).eval()
    counted = []

    def count(layer, inputs, output):
        taps = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        counted.append(output.shape[1] * output.shape[2] * output.shape[3] * taps)

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        model.features(torch.zeros(1, 3, 42, 42))
    assert len(counted) == 20
    assert gmacs(run) == pytest.approx(sum(counted) / 1e9, rel=1e-12)


def test_full_convolution_costs_more_and_a_released_border_counts(config):
    same, full, wider = (gmacs(config(*c)) for c in (("conv=same",), ("conv=full",), ("border=64",)))
    assert 4 * same < full
    released = gmacs(config("protocol=released", "border=64"))
    assert same < released < wider  # the border is no input of its own but the first layer's padding, of which 3 go
