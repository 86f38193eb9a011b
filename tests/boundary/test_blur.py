"""A binomial filter before every stride: against networks written out with stride-1 layers and depthwise filters."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import alexnet, convnext_tiny, googlenet, vgg11

from equivariance.boundary import RULES, SAME, Sampling, bounded, unwrap
from equivariance.canvas import Canvas, place
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from tests.models.networks import disturb, network

COLOUR = (0.25, -0.1, 0.2)
TAPS = {1: [1], 2: [1, 1], 3: [1, 2, 1], 4: [1, 3, 3, 1], 5: [1, 4, 6, 4, 1], 7: [1, 6, 15, 20, 15, 6, 1]}


def images(side=48, n=2, seed=0):
    return torch.randn(n, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def run(net, x, conv, sampling):
    return unwrap(net(bounded(x, SAME if conv == "same" else RULES[conv], COLOUR, sampling)))


def blurred(x, size, mode="constant", stride=2):
    """The reference: padding of (size - 1) / 2, a filter a channel, a stride."""
    taps = torch.tensor(TAPS[size], dtype=x.dtype)
    weight = taps[:, None] * taps / taps.sum() ** 2
    before, after = (size - 1) // 2, size // 2
    x = F.pad(x, [before, after, before, after], mode=mode)
    return F.conv2d(x, weight.expand(x.shape[1], 1, -1, -1), stride=stride, groups=x.shape[1])


def stride_one(conv, x, mode="constant"):
    return F.conv2d(F.pad(x, [conv.padding[0]] * 4, mode=mode), conv.weight, conv.bias)


def blurred_resnet(net, x, size, mode="constant"):
    """A ResNet of basic blocks, written out."""
    x = blurred(F.relu(net.bn1(stride_one(net.conv1, x, mode))), size, mode)
    pad, value = ("constant", -torch.inf) if mode == "constant" else (mode, None)
    x = blurred(F.max_pool2d(F.pad(x, [1] * 4, pad, value), 3, 1), size, mode)
    for block in (b for stage in (net.layer1, net.layer2, net.layer3, net.layer4) for b in stage):
        out = F.relu(block.bn1(stride_one(block.conv1, x, mode)))
        if block.stride == 2:
            out = blurred(out, size, mode)
            x = blurred(block.downsample[1](stride_one(block.downsample[0], x)), size, mode)
        x = F.relu(block.bn2(stride_one(block.conv2, out, mode)) + x)
    return x


def blurred_vgg(net, x, size):
    for layer in net.features:
        x = blurred(F.max_pool2d(x, 2, 1), size) if isinstance(layer, nn.MaxPool2d) else layer(x)
    return x


@pytest.mark.parametrize("size", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", ["same", "circular", "reflect"])
def test_a_blurred_resnet_is_the_one_written_out(size, mode):
    net, x = disturb(network("resnet18")), images(64 if mode == "circular" else 128, 1)
    with torch.no_grad():
        expected = blurred_resnet(net.network, x, size, "constant" if mode == "same" else mode)
        torch.testing.assert_close(run(net, x, mode, Sampling("blur", size)), expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_a_blurred_vgg_is_the_one_written_out():
    net, x = network("vgg11"), images(64, 1)
    for size in (2, 3, 7):
        expected = blurred_vgg(net.network, x, size)
        torch.testing.assert_close(run(net, x, "same", Sampling("blur", size)), expected, rtol=1e-10, atol=1e-10)


def test_it_trains_as_the_one_written_out():
    """Batch statistics on the fine map, running statistics and gradients."""
    nets = [network("resnet18").train() for _ in range(2)]
    x = images(64, 2).requires_grad_()
    found = run(nets[0], x, "same", Sampling("blur", 3))
    expected = blurred_resnet(nets[1].network, x, 3)
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(found)
    one, other = (
        torch.autograd.grad((out * weight).sum(), [x, *net.network.layer4.parameters()])
        for out, net in ((found, nets[0]), (expected, nets[1]))
    )
    torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
    assert torch.allclose(nets[0].network.bn1.running_var, nets[1].network.bn1.running_var)


@pytest.mark.parametrize("conv", ["same", "full", "unbounded", "circular", "reflect", "replicate", "partial"])
def test_a_filter_of_one_tap_is_the_published_stride_to_the_last_bit(conv):
    net, x = disturb(network("resnet18")), images(128, 1)
    with torch.no_grad():
        published = net(x) if conv == "same" else unwrap(net(bounded(x, RULES[conv], COLOUR)))
        module = FeatureMap(net, conv, Sampling("blur", 1))
        module.background = COLOUR
        assert torch.equal(module(x), published)


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        (nn.Conv2d(3, 4, 7, 2, 3), 17),
        (nn.Conv2d(3, 4, 4, 4), 17),
        (nn.Conv2d(3, 4, 11, 4, 2), 31),
        (nn.Conv2d(3, 4, 3, 2, 2, 2), 16),
        (nn.Conv2d(3, 4, 3, (1, 2), 1), 16),
        (nn.MaxPool2d(3, 2, ceil_mode=True), 16),
        (nn.MaxPool2d(3, 2, 1), 15),
        (nn.AvgPool2d(2), 15),
        (nn.AvgPool2d(3, 2, 1), 15),
        (nn.AvgPool2d(3, 2, 1, count_include_pad=False), 16),
        (nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False), 15),
    ],
    ids=str,
)
@pytest.mark.parametrize("conv", ["same", "full", "valid", "unbounded", "circular", "reflect", "replicate", "partial"])
def test_the_fine_map_holds_the_published_outputs_where_the_stride_falls(layer, side, conv, monkeypatch):
    """Run the long way, a filter of one tap gives what a strided layer gives: as many outputs, the same numbers."""
    monkeypatch.setattr(Sampling, "strided", property(lambda self: self.downsample == "strided"))
    layer, x = layer.double(), images(side)
    published = layer(x) if conv == "same" else unwrap(layer(bounded(x, RULES[conv], COLOUR)))
    found = run(layer, x, conv, Sampling("blur", 1))
    least = tuple(min(a, b) for a, b in zip(found.shape, published.shape, strict=True))
    assert found.shape == published.shape or conv == "circular"  # there are as many as the circle holds
    cut = (slice(None), slice(None), slice(0, least[2]), slice(0, least[3]))
    torch.testing.assert_close(found[cut], published[cut], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("conv", ["full", "unbounded"])
def test_padding_of_the_filter_follows_the_type(conv):
    layer, x = nn.Conv2d(3, 2, 3, 2, 1).double(), images(12)
    fine = F.conv2d(F.pad(x, [2] * 4) if conv == "full" else ringed(x, 2), layer.weight, layer.bias)
    behind = torch.zeros(2).double() if conv == "full" else ringed(x, 2)[:1, :, :1, :1]
    if conv == "unbounded":
        behind = F.conv2d(behind.expand(-1, -1, 3, 3), layer.weight, layer.bias).flatten()
    grown = torch.ones(2, 2, *(n + 4 for n in fine.shape[2:])).double() * behind[:, None, None]
    grown[..., 2:-2, 2:-2] = fine
    weight = torch.tensor([1.0, 2, 1]).double()
    weight = (weight[:, None] * weight / 16).expand(2, 1, 3, 3)
    torch.testing.assert_close(run(layer, x, conv, Sampling("blur", 3)), F.conv2d(grown, weight, None, 2, groups=2))


def ringed(x, width):
    sides = [n + 2 * width for n in x.shape[2:]]
    out = torch.tensor(COLOUR, dtype=x.dtype)[:, None, None].repeat(len(x), 1, 1, 1).repeat(1, 1, *sides)
    out[..., width:-width, width:-width] = x
    return out


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet18", "efficientnet_b0"))]
)
@pytest.mark.parametrize("conv", ["same", "full", "unbounded"])
def test_a_canvas_gives_what_the_ordinary_tensor_gives(name, conv):
    net, picture = disturb(network(name)), images(12)
    canvas = place(picture, 96, [(12, 9), (60, 71)], COLOUR)
    with torch.no_grad():
        found = run(net, canvas, conv, Sampling("blur", 3))
        expected = run(net, canvas.dense(), conv, Sampling("blur", 3))
    found = found.dense() if isinstance(found, Canvas) else found
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("build", [alexnet, googlenet, convnext_tiny, vgg11], ids=lambda b: b.__name__)
def test_whole_networks_run_with_their_heads_as_published(build):
    torch.manual_seed(0)
    net = build(init_weights=False) if build in (googlenet, vgg11) else build()
    x = images(96, 1).float()
    with torch.no_grad():
        found = net.eval()(bounded(x, SAME, None, Sampling("blur", 3)))
        assert found.shape == (1, 1000)
        assert (found - net(x)).abs().max() > 0


def test_a_map_answers_for_its_shape_as_if_it_were_sampled():
    layer = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU())
    for kind in ("blur", "polyphase"):
        found = layer(bounded(images(15).float(), SAME, None, Sampling(kind, 3)))
        assert found.shape == (2, 4, 8, 8) == unwrap(found).shape
        assert found.dtype == torch.float32


def test_what_cannot_be_is_said_in_one_line():
    with pytest.raises(UserError, match=r"^downsample=blurr: allowed: strided, blur, polyphase$"):
        Sampling("blurr")
    with pytest.raises(UserError, match=r"^downsample\.size=8: allowed: 1 to 7$"):
        Sampling("blur", 8)
    with pytest.raises(UserError, match=r"^conv=same: [^\n]*conv_transpose2d[^\n]*use downsample=strided"):
        nn.ConvTranspose2d(3, 2, 2)(bounded(images().float(), SAME, None, Sampling("blur", 3)))
