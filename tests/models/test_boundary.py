"""Full convolution: what one layer does, that branches align, that zero-preserving networks lose their position."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models import resnet

from equivariance.boundary import Bounded, unwrap
from equivariance.errors import UserError
from equivariance.models.classifier import Classifier
from equivariance.models.trunk import Trunk
from tests.models.networks import apart, full, network, picture_at, pooled, shift_normalisation

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class TestOneLayer:
    @given(
        size=sizes,
        kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
        dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
        padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
        stride=st.integers(1, 3),
        groups=st.sampled_from([1, 2, 4]),
        bias=st.booleans(),
    )
    def test_a_convolution_keeps_every_output_that_touches_the_map(
        self, size, kernel, dilation, padding, stride, groups, bias
    ):
        image = normal(2, 4, *size)
        layer = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups, bias).double()
        reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        expected = F.conv2d(image, layer.weight, layer.bias, stride, reach, dilation, groups)
        torch.testing.assert_close(unwrap(layer(full(image))), expected)

    @given(size=sizes, kernel=st.integers(2, 4), stride=st.integers(1, 4), padding=st.integers(0, 1))
    def test_max_pooling_sees_zeros_outside(self, size, kernel, stride, padding):
        image = normal(1, 2, *size) - 2  # mostly negative, so that a zero outside shows
        padded = F.pad(image, [kernel - 1] * 4)
        found = unwrap(nn.MaxPool2d(kernel, stride, padding)(full(image)))
        torch.testing.assert_close(found, F.max_pool2d(padded, kernel, stride))

    @given(size=sizes, kernel=st.integers(2, 4), stride=st.integers(1, 4), padding=st.integers(0, 1))
    def test_average_pooling_counts_zeros_outside(self, size, kernel, stride, padding):
        image = normal(1, 2, *size)
        padded = F.pad(image, [kernel - 1] * 4)
        found = unwrap(nn.AvgPool2d(kernel, stride, padding)(full(image)))
        torch.testing.assert_close(found, F.avg_pool2d(padded, kernel, stride))

    @pytest.mark.parametrize("padding", ["same", "valid"])
    def test_padding_given_by_name_is_understood(self, padding):
        image, layer = normal(1, 2, 6, 7), nn.Conv2d(2, 3, 3, padding=padding).double()
        expected = F.conv2d(image, layer.weight, layer.bias, padding=2)
        torch.testing.assert_close(unwrap(layer(full(image))), expected)

    def test_gradients_are_those_of_plain_convolution(self):
        image, layer = normal(1, 2, 5, 6).requires_grad_(), nn.Conv2d(2, 3, 3).double()
        found = torch.autograd.grad(unwrap(layer(full(image))).square().sum(), [image, *layer.parameters()])
        plain = F.conv2d(image, layer.weight, layer.bias, padding=2).square().sum()
        torch.testing.assert_close(found, torch.autograd.grad(plain, [image, *layer.parameters()]))

    def test_a_layer_of_its_own_padding_gives_the_published_outputs_in_its_middle(self):
        image, layer = normal(1, 2, 8, 8), nn.Conv2d(2, 3, 3, padding=1).double()
        found = layer(full(image))
        top, left = (-start for start in found.start)
        torch.testing.assert_close(unwrap(found)[..., top : top + 8, left : left + 8], layer(image))


class TestBranches:
    @pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9), (11, 14)])
    def test_a_basic_block_pads_its_shortcut_as_the_authors_do(self, size):
        """Released ResNets: both 3x3 pad by 2; the identity by 2; a strided 1x1 shortcut sees its input padded by 3."""
        block_of = resnet.BasicBlock
        image = normal(1, 4, *size)
        plain, strided = block_of(4, 4), block_of(4, 8, 2, nn.Conv2d(4, 8, 1, 2, bias=False))
        for block in (plain.double().eval(), strided.double().eval()):
            main = F.conv2d(image, block.conv1.weight, stride=block.stride, padding=2)
            main = F.conv2d(F.relu(block.bn1(main)), block.conv2.weight, padding=2)
            if block.downsample is None:
                shortcut = F.pad(image, [2] * 4)
            else:
                shortcut = F.conv2d(F.pad(image, [3] * 4), block.downsample.weight, stride=2)
            expected = F.relu(block.bn2(main) + shortcut)
            torch.testing.assert_close(unwrap(block(full(image))), expected)

    @pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9)])
    def test_a_dense_block_pads_each_earlier_feature_by_one_a_layer(self, size):
        image = normal(1, 2, *size)
        first, second = nn.Conv2d(2, 3, 3, padding=1).double(), nn.Conv2d(5, 2, 3, padding=1).double()
        bounded = full(image)
        one = torch.cat([bounded, first(bounded)], 1)
        two = torch.cat([one, second(one)], 1)
        plain_one = torch.cat([F.pad(image, [1] * 4), F.conv2d(image, first.weight, first.bias, padding=2)], 1)
        plain_two = F.conv2d(plain_one, second.weight, second.bias, padding=2)
        torch.testing.assert_close(unwrap(two), torch.cat([F.pad(plain_one, [1] * 4), plain_two], 1))

    @given(st.tuples(st.integers(3, 9), st.integers(3, 9)), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
    def test_a_sum_of_any_two_kernels_is_one_larger_kernel(self, size, one, other, stride):
        """Odd kernels centred as published: the smaller one is the larger one with zeros around it."""
        one, other = 2 * one - 1, 2 * other - 1
        large, small = max(one, other), min(one, other)
        image, a, b = normal(1, 2, *size), normal(3, 2, large, large), normal(3, 2, small, small, seed=1)
        bounded = full(image)
        found = F.conv2d(bounded, a, stride=stride, padding=large // 2)
        found = found + F.conv2d(bounded, b, stride=stride, padding=small // 2)
        merged = a + F.pad(b, [(large - small) // 2] * 4)
        expected = F.conv2d(image, merged, stride=stride, padding=large - 1)
        torch.testing.assert_close(unwrap(found), expected)

    def test_factors_per_channel_keep_the_place(self):
        image, layer = normal(1, 2, 6, 6), nn.Conv2d(2, 2, 3, padding=1).double()
        found = layer(full(image))
        scaled = found * found.mean((2, 3), keepdim=True).sigmoid()
        assert isinstance(scaled, Bounded)
        assert scaled.start == found.start == (-1, -1)


def test_map_sizes_of_resnet18_at_224():
    """Science 1.2: the stem grows to 115; then each layer by its own kernel, ceil((n + k - 1) / s)."""
    found = {}
    net = network("resnet18").float()

    def note(name):
        return lambda module, inputs, output: found.__setitem__(name, tuple(output.shape[2:]))

    for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        getattr(net.network, name).register_forward_hook(note(name))
    with torch.no_grad():
        net(full(torch.zeros(1, 3, 224, 224)))
    side = {"conv1": 115, "maxpool": -(-(115 + 2) // 2)}
    side["layer1"] = side["maxpool"] + 2 * 4
    for before, layer in (("layer1", "layer2"), ("layer2", "layer3"), ("layer3", "layer4")):
        side[layer] = -(-(side[before] + 2) // 2) + 2 + 4
    assert found == {name: (n, n) for name, n in side.items()}


STRIDES = {"resnet18": 32, "densenet121": 32, "mobilenet_v2": 32, "googlenet": 32, "bagnet33": 8}


class TestPosition:
    @pytest.mark.parametrize(
        "name", [pytest.param(n, marks=pytest.mark.slow if n == "densenet121" else []) for n in STRIDES]
    )
    def test_full_convolution_forgets_position_and_the_published_network_does_not(self, name):
        stride = STRIDES[name]
        net = network(name)
        here = picture_at(0, 0, 24 + 32)
        for y, x in {(32, 32), (stride, 0)} if name == "bagnet33" else {(32, 32)}:
            there = picture_at(y, x, 24 + 32)
            assert apart(net, here, there, "full") < 1e-12
            assert apart(net, here, there, "same") > 1e-3

    @pytest.mark.parametrize("name", ["resnet18", "bagnet33"])
    def test_a_shift_in_normalisation_gives_position_away_even_in_full_convolution(self, name):
        """Science 1.4: zero padding continues the image only where zero maps to zero."""
        net = network(name)
        shift_normalisation(net)
        assert apart(net, picture_at(0, 0, 56), picture_at(32, 32, 56), "full") > 1e-4

    def test_a_shift_that_is_no_multiple_of_the_stride_shows(self):
        net = network("resnet18")
        assert apart(net, picture_at(0, 0, 56), picture_at(1, 1, 56), "full") > 1e-3


class Random(nn.Module):
    """A small network without biases: layers, with a shortcut or a concatenation around some of them."""

    def __init__(self, layers):
        super().__init__()
        self.joins, self.layers, channels = [], nn.ModuleList(), 3
        self.total = 1
        for kernel, stride, dilation, join in layers:
            padding = (kernel - 1) * dilation // 2
            branches = [nn.Conv2d(channels, 4, kernel, stride, padding, dilation, bias=False)]
            if join != "none":
                branches.append(nn.Conv2d(channels, 4, 1, stride, bias=False))
            self.layers.append(nn.ModuleList(branches))
            self.joins.append(join)
            channels = 8 if join == "cat" else 4
            self.total *= stride

    def forward(self, x):
        for branches, join in zip(self.layers, self.joins, strict=True):
            outputs = [branch(x) for branch in branches]
            x = F.relu(torch.cat(outputs, 1) if join == "cat" else sum(outputs[1:], outputs[0]))
        return x


layer = st.tuples(
    st.integers(1, 5), st.sampled_from([1, 1, 2, 3]), st.integers(1, 2), st.sampled_from(["none", "add", "cat"])
)


@settings(max_examples=60)
@given(st.lists(layer, min_size=1, max_size=3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 99))
def test_any_network_without_bias_is_blind_to_shifts_by_its_stride(layers, dy, dx, seed):
    torch.manual_seed(seed)
    net = Random(layers).double()
    dy, dx = dy * net.total, dx * net.total
    picture = max(7, net.total)  # so that no strided shortcut falls between the pixels of a tiny map
    side = picture + max(dy, dx) + seed % 3
    one, other = picture_at(0, 0, side, picture), picture_at(dy, dx, side, picture)
    for a, b in zip(pooled(net, one, "full"), pooled(net, other, "full"), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


class TestRefusals:
    @pytest.mark.parametrize(
        ("run", "name"),
        [
            (lambda x: F.interpolate(x, scale_factor=2), "interpolate"),
            (lambda x: x.mean(2), "mean"),
            (lambda x: F.adaptive_avg_pool2d(x, 2), "adaptive_avg_pool2d"),
            (lambda x: x.flatten(1), "flatten"),
            (lambda x: x.permute(0, 1, 3, 2), "permute"),
            (lambda x: F.conv_transpose2d(x, torch.ones(2, 2, 2, 2, dtype=x.dtype)), "conv_transpose2d"),
            (lambda x: F.pad(x, [1, 1, 1, 1], mode="reflect"), "reflect"),
            (lambda x: F.pad(x, [1, 1, 1, 1], value=1.0), "1.0"),
            (lambda x: x[:, :, 1:], "crops"),
            (lambda x: torch.roll(x, 1, 2), "roll"),
            (lambda x: x.flip(2), "flip"),
            (lambda x: x + torch.rand(8, 8), "add"),
            (lambda x: F.pad(x, [1, 1, 1, 1]).mean((2, 3)), "padding"),
        ],
    )
    def test_what_has_no_full_form_is_refused_in_one_line(self, run, name):
        bounded = nn.Conv2d(2, 2, 3).double()(full(normal(1, 2, 6, 6)))
        with pytest.raises(UserError, match=rf"^conv=full: [^\n]*{name}[^\n]*$"):
            run(bounded)

    def test_padding_of_channels_is_not_silently_lost(self):
        bounded = full(normal(1, 2, 6, 6))
        try:
            found = F.pad(bounded, [0, 0, 0, 0, 1, 1])
        except UserError:
            return
        assert found.shape[1] == unwrap(found).shape[1] == 4

    def test_images_too_small_for_a_network_are_named(self):
        classifier = Classifier(network("bagnet33").float(), "same", "max")
        with pytest.raises(UserError, match="32 pixels"):
            classifier(torch.zeros(1, 3, 32, 32))


class TestClassifier:
    def test_published_convolution_is_the_network_untouched(self):
        trunk = network("resnet18")
        image = picture_at(3, 5, 64)
        with torch.no_grad():
            assert torch.equal(Classifier(trunk, "same", "max").double().feature_map(image), trunk(image))

    @pytest.mark.parametrize("conv", ["same", "full"])
    @pytest.mark.parametrize("pooling", ["max", "avg"])
    def test_scores_are_a_linear_function_of_pooled_features(self, conv, pooling):
        body = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1), nn.ReLU())
        trunk = Trunk(body, body)
        trunk.channels = 5
        classifier, image = Classifier(trunk, conv, pooling).double(), normal(2, 3, 9, 8)
        padding = 2 if conv == "full" else 1
        feature_map = F.relu(F.conv2d(image, body[0].weight, body[0].bias, 2, padding))
        pooled = feature_map.amax((2, 3)) if pooling == "max" else feature_map.mean((2, 3))
        torch.testing.assert_close(classifier(image), F.linear(pooled, classifier.head.weight, classifier.head.bias))

    def test_the_gradient_of_a_maximum_is_shared_among_ties(self):
        trunk = Trunk(nn.Identity(), nn.Identity())
        trunk.channels = 3
        image = torch.zeros(1, 3, 2, 2, requires_grad=True)
        Classifier(trunk, "same", "max").features(image).sum().backward()
        assert torch.equal(image.grad, torch.full((1, 3, 2, 2), 0.25))


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x + x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


@pytest.mark.parametrize("last", [True, False])
def test_a_function_that_would_keep_the_gradients_is_refused(last):
    layer = nn.Conv2d(2, 2, 3)
    found = Twice.apply(layer(full(torch.randn(1, 2, 6, 6))))
    with pytest.raises(UserError, match=r"conv=full.*autograd\.Function"):
        unwrap(found) if last else found.relu()
    with torch.no_grad():
        found = unwrap(Twice.apply(layer(full(torch.ones(1, 2, 6, 6)))))
        assert torch.equal(found, 2 * unwrap(layer(full(torch.ones(1, 2, 6, 6)))))


def under(conv, layer, image):
    from equivariance.boundary import RULES, bounded

    return unwrap(layer(bounded(image, RULES[conv])))


@pytest.mark.parametrize(("kernel", "stride", "padding", "side"), [(11, 4, 2, 122), (3, 3, 1, 9), (3, 4, 1, 11)])
@pytest.mark.parametrize("conv", ["circular", "reflect", "replicate"])
def test_a_strided_layer_that_leaves_rows_over_still_sees_the_whole_map(conv, kernel, stride, padding, side):
    layer = nn.Conv2d(1, 2, kernel, stride, padding).double()
    torchs = nn.Conv2d(1, 2, kernel, stride, padding, padding_mode=conv).double()
    torchs.load_state_dict(layer.state_dict())
    image = normal(1, 1, side, side)
    torch.testing.assert_close(under(conv, layer, image), torchs(image))


@pytest.mark.parametrize("conv", ["circular", "reflect", "replicate", "partial"])
@pytest.mark.parametrize("pool", [nn.AvgPool2d, nn.MaxPool2d])
@pytest.mark.parametrize("side", [7, 8, 15])
def test_ceil_mode_has_as_many_outputs_as_published(conv, pool, side):
    layer, image = pool(2, 2, ceil_mode=True), normal(1, 1, side, side)
    found, published = under(conv, layer, image), layer(image)
    assert found.shape == published.shape
    torch.testing.assert_close(found[:, :, : side // 2, : side // 2], published[:, :, : side // 2, : side // 2])


def test_partial_gives_the_bias_where_a_window_has_nothing_inside():
    layer = nn.Conv2d(1, 1, 3, padding=3).double()
    found = under("partial", layer, normal(1, 1, 6, 6))
    assert found.isfinite().all()
    assert found[0, 0, 0, 0] == layer.bias


def test_each_image_meets_its_own_background_when_unbounded_trains():
    from equivariance.boundary import RULES, bounded

    norm, scale = nn.BatchNorm2d(2).double().train(), torch.tensor([1.0, 2.0, 3.0]).double()[:, None, None, None]
    found = norm(bounded(normal(3, 2, 6, 6), RULES["unbounded"], (0.3, -0.2)) * scale)
    assert len(found.background) == 3
    assert not torch.equal(found.background[0], found.background[1])
