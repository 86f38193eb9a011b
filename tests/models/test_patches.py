"""Once per patch is the same function as the ordinary tensor, for every convolution type, gradients included."""

from itertools import islice

import pytest
import torch
from torch import nn

from equivariance.experiments.controlled.network import controlled
from equivariance.experiments.red_green.images import boxes, labels, paint
from equivariance.experiments.red_green.network import red_green
from equivariance.experiments.rook.images import images as rooks
from equivariance.experiments.rook.network import rook
from equivariance.models.patches import OncePerPatch, patches
from equivariance.registries import CONVS

IMAGES = list(islice(boxes(3), 40))


def gradients(classifier, logits, classes):
    classifier.zero_grad()
    nn.functional.cross_entropy(logits, classes).backward()
    return [p.grad.clone() for p in classifier.parameters()]


@pytest.mark.parametrize("conv", CONVS.names())
def test_scores_and_gradients_are_those_of_the_ordinary_tensor(conv):
    classifier = controlled(red_green, conv, 0).double()
    pixels, classes = paint(IMAGES).double(), labels(IMAGES)
    dense, ours = classifier(pixels), OncePerPatch(classifier)(patches(pixels, classifier))
    assert (dense - ours).abs().max() < 1e-12
    assert (dense[0] - dense[1]).abs().max() > 1e-6  # images differ at all
    for a, b in zip(gradients(classifier, dense, classes), gradients(classifier, ours, classes), strict=True):
        assert (a - b).abs().max() <= 1e-10 * a.abs().max()


@pytest.mark.parametrize("conv", CONVS.names())
def test_a_large_filter_on_a_shaded_picture_too(conv):
    classifier = controlled(rook, conv, 2).double()
    pixels = rooks(32).double()
    assert torch.allclose(OncePerPatch(classifier)(patches(pixels, classifier)), classifier(pixels), atol=1e-12)


def test_the_boundary_matters():
    """Patches numbered for one convolution type give other scores than another type: the test above can fail."""
    pixels = paint(IMAGES).double()
    same, full = (controlled(red_green, conv, 0).double() for conv in ("same", "full"))
    assert (OncePerPatch(same)(patches(pixels, full)) - same(pixels)).abs().max() > 1e-4


def test_some_images_need_only_their_own_patches():
    classifier = controlled(red_green, "same", 0)
    whole, chosen = patches(paint(IMAGES), classifier), torch.tensor([7, 3, 3, 20])
    part, network = whole.of(chosen), OncePerPatch(classifier)
    assert torch.allclose(network(part), network(whole)[chosen], atol=1e-6)
    assert all(len(a.taps) < len(b.taps) for a, b in zip(part.layers[1:], whole.layers[1:], strict=True))


@pytest.mark.parametrize(("conv", "equal"), [("full", True), ("unbounded", True), ("circular", True), ("same", False)])
def test_equal_patches_have_equal_scores_to_the_last_bit(conv, equal):
    classifier = controlled(red_green, conv, 0)
    network = OncePerPatch(classifier)
    here, there = (network(patches(paint(IMAGES, shift), classifier)) for shift in (0, 16))
    assert torch.equal(here, there) == equal


def test_a_bias_is_refused():
    classifier = controlled(rook, "same", 0)
    classifier.trunk.network[0] = nn.Conv2d(1, 1, 5, padding=2)
    with pytest.raises(AssertionError, match="background"):
        OncePerPatch(classifier)


@pytest.mark.parametrize(("layers", "weights"), [(rook, 29), (red_green, 864 + 9216 + 18432 + 36864 + 130)])
def test_the_networks_have_the_published_size(layers, weights):
    assert sum(p.numel() for p in controlled(layers, "same", 0).parameters()) == weights


@pytest.mark.parametrize(
    ("conv", "sides"), [("valid", [30, 14, 6, 2]), ("same", [32, 16, 8, 4]), ("full", [34, 18, 10, 6])]
)
def test_maps_have_the_published_sides(conv, sides):
    """Science 5.2."""
    classifier = controlled(red_green, conv, 0)
    found = []
    for layer in classifier.trunk.network:
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda m, inputs, output: found.append(output.shape[-1]))
    classifier(torch.zeros(1, 3, 32, 32))
    assert found == sides
