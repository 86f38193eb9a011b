"""Every way to meet the boundary, for any network: sizes, alignment, what is exact and what leaks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.boundary import RULES, bounded
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.models.trunk import trunk
from tests.models.networks import disturb, network

COLOUR = (0.25, -0.1, 0.2)
ZOO = ["resnet18", "squeezenet1_0", "mobilenet_v2"]
SLOW_ZOO = [
    "bagnet33",
    "googlenet",
    "densenet121",
    "convnext_tiny",
    "resnet34",
    "resnet50",
    "vgg11_bn",
    "inception_v3",
    "mobilenet_v3_small",
    "regnet_y_400mf",
]


def run(net, images, conv):
    with torch.no_grad():
        return net(bounded(images, RULES[conv], COLOUR))


def apart(net, conv, shift, train=False, dtype=torch.float64):
    """Largest relative difference of pooled features between two places on a canvas of COLOUR."""
    picture = torch.randn(1, 3, 24, 24, dtype=dtype, generator=torch.Generator().manual_seed(0))
    task = Quadrant(24, 24 + shift, 0, COLOUR)
    net.train(train)
    pooled = []
    for label in (0, 1):
        found = run(net, task.images(picture, torch.tensor([label])).dense(), conv).content
        pooled.append(torch.cat([found.amax((2, 3)), found.mean((2, 3))], 1))
    return ((pooled[0] - pooled[1]).abs().amax() / pooled[0].abs().amax()).item()


@pytest.mark.parametrize("name", [*ZOO, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW_ZOO)])
def test_unbounded_is_exactly_invariant_with_biases_and_normalisation(name):
    net = disturb(network(name))
    assert apart(net, "unbounded", 64) < 1e-12
    assert apart(net, "unbounded", 96) < 1e-12
    assert apart(net.float(), "unbounded", 64, dtype=torch.float32) < 1e-5


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", pytest.param("bagnet33", marks=pytest.mark.slow)])
def test_full_fails_where_unbounded_holds_and_passes_without_shifts(name):
    net = network(name)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    picture = torch.randn(1, 3, 24, 24, dtype=torch.float64)
    zero = Quadrant(24, 88, 0, (0.0, 0.0, 0.0))
    with torch.no_grad():
        a, b = (net(bounded(zero.images(picture, torch.tensor([k])).dense(), RULES["full"])).content for k in (0, 1))
    assert (a.amax((2, 3)) - b.amax((2, 3))).abs().max() < 1e-12 * a.abs().max()
    assert apart(disturb(net), "full", 64) > 1e-3


@pytest.mark.parametrize("name", ["resnet18", "bagnet33"])
def test_unbounded_stays_exact_in_training_mode(name):
    assert apart(disturb(network(name)), "unbounded", 64, train=True) < 1e-9


def test_shifts_that_are_no_multiple_of_the_stride_leak_phase_under_every_type():
    net = disturb(network("resnet18"))
    assert apart(net, "unbounded", 65) > 1e-3
    assert apart(net, "unbounded", 80) > 1e-3


def test_circular_is_exact_on_a_torus_of_whole_strides_only():
    net = disturb(network("resnet18"))
    assert apart(net, "circular", 64 + 8) > 1e-3  # a side of 96, but the shift is out of phase
    picture = torch.randn(1, 3, 24, 24, dtype=torch.float64)
    images = [torch.zeros(1, 3, 96, 96, dtype=torch.float64) for _ in range(2)]
    images[0][..., :24, :24], images[1][..., 64:88, 32:56] = picture, picture
    a, b = (run(net, image, "circular").content.amax((2, 3)) for image in images)
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("conv", ["circular", "reflect", "replicate"])
def test_a_mode_is_torchs_own_padding_of_that_mode(conv):
    image = torch.randn(2, 3, 9, 11, dtype=torch.float64)
    net = nn.Sequential(nn.Conv2d(3, 4, 5, 2, 2), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1)).double()
    expected = image
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            p = layer.padding[0]
            expected = F.conv2d(F.pad(expected, [p] * 4, mode=conv), layer.weight, layer.bias, layer.stride)
        else:
            expected = layer(expected)
    torch.testing.assert_close(run(net, image, conv).content, expected)


def test_partial_scales_each_sum_by_the_share_of_its_taps_inside():
    image = torch.randn(1, 2, 6, 7, dtype=torch.float64)
    layer = nn.Conv2d(2, 3, 3, 1, 1).double()
    plain = F.conv2d(image, layer.weight, None, 1, 1)
    inside = F.conv2d(torch.ones(1, 1, 6, 7).double(), torch.ones(1, 1, 3, 3).double(), None, 1, 1)
    found = layer(bounded(image, RULES["partial"])).content
    torch.testing.assert_close(found, plain * 9 / inside + layer.bias[:, None, None])
    constant = layer(bounded(torch.full_like(image, 0.7), RULES["partial"])).content
    channel_sum = 0.7 * layer.weight.sum((1, 2, 3)) + layer.bias
    middle = constant[0, :, 2, 2]
    torch.testing.assert_close(middle, channel_sum)


def test_partial_pooling_ignores_what_lies_outside():
    image = -1 - torch.rand(1, 2, 6, 6, dtype=torch.float64)  # zeros outside would win every maximum
    largest = nn.MaxPool2d(3, 2, 1)
    torch.testing.assert_close(largest(bounded(image, RULES["partial"])).content, largest(image))
    mean = nn.AvgPool2d(3, 2, 1)
    expected = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
    torch.testing.assert_close(mean(bounded(image, RULES["partial"])).content, expected)


def test_valid_of_bagnet_is_bagnet_as_published():
    net, image = network("bagnet33"), torch.randn(1, 3, 72, 81, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(run(net, image, "valid").content, net(image))


def test_valid_keeps_the_middle_of_what_published_padding_gives():
    """Units that see no padding are the same numbers with it and without it."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1)).double()
    image = torch.randn(1, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(run(net, image, "valid").content, net(image)[..., 2:-2, 2:-2])


# Side of the map after stem, first max pooling (2 pixels, inside, as in the authors' networks) and the four stages.
AUTHORS = {
    "resnet18": (115, 57, 65, 40, 27, 21),
    "resnet34": (115, 57, 69, 50, 48, 35),
    "resnet50": (115, 57, 63, 39, 31, 21),
    "resnet101": (115, 57, 63, 39, 65, 38),
}


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet34", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet50", "resnet101"))]
)
def test_full_resnets_have_the_released_map_sizes(name):
    net = trunk("torchvision", name).eval()
    stem = net.network.get_submodule("maxpool")
    stem.kernel_size, stem.padding = 2, 0
    sizes = []
    for layer in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        net.network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[2]))
    with torch.no_grad():
        net(bounded(torch.zeros(1, 3, 224, 224), RULES["full, pools inside"]))
    assert tuple(sizes) == AUTHORS[name]


@pytest.mark.parametrize(
    ("name", "conv"),
    [
        *(("squeezenet1_0", conv) for conv in RULES),
        *(pytest.param("bagnet33", conv, marks=[] if conv == "full" else pytest.mark.slow) for conv in RULES),
    ],
)
def test_a_canvas_gives_what_dense_images_give(name, conv):
    net = disturb(network(name))
    pictures = torch.randn(2, 3, 24, 24, dtype=torch.float64)
    canvas, border = (56, 24) if name == "bagnet33" else (88, 40)  # places a multiple of the strides apart
    images = Quadrant(24, canvas, border, COLOUR).both(pictures)
    sparse, dense = run(net, images, conv).content, run(net, images.dense(), conv).content
    expected = dense.amax((2, 3))
    torch.testing.assert_close(sparse.amax((2, 3)), expected, rtol=1e-10, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize("conv", ["valid", "full", "unbounded", "circular"])
def test_what_has_no_meaning_is_refused_in_one_line(conv):
    class Upsampling(nn.Module):
        def forward(self, x):
            return F.interpolate(x, scale_factor=2)

    with pytest.raises(UserError, match=f"^conv={conv}: .*interpolate.*$") as caught:
        run(Upsampling(), torch.zeros(1, 3, 8, 8), conv)
    assert "\n" not in str(caught.value)


def test_an_image_too_small_for_valid_convolution_is_refused():
    with pytest.raises(UserError, match="too small"):
        run(network("resnet18"), torch.zeros(1, 3, 64, 64, dtype=torch.float64), "valid")


class Embedded(nn.Module):
    """Adds an embedding of places for maps of whole windows of four, made of plain tensors, as some transformers do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return x + (torch.zeros(x.shape[1:]) + torch.zeros(4, 4).tile(x.shape[2] // 4, x.shape[3] // 4))


def test_a_network_that_takes_no_grown_maps_is_refused_in_a_line_and_a_bug_is_seen():
    images = torch.rand(1, 3, 16, 16)
    assert FeatureMap(Embedded(), "same")(images).shape == (1, 4, 16, 16)
    with pytest.raises(UserError, match=r"^conv=full: the network does not take maps of the size .* must match"):
        FeatureMap(Embedded(), "full")(images)
    with pytest.raises(RuntimeError, match="type"):
        FeatureMap(Embedded(), "full")(images.double())
