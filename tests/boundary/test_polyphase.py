"""Each image at the phase of largest norm: no shift is told, on a torus or on an endless background."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.boundary import RULES, SAME, Sampling, bounded, unwrap
from equivariance.canvas import place
from equivariance.errors import UserError
from tests.models.networks import disturb, network

COLOUR = (0.25, -0.1, 0.2)
POLYPHASE = Sampling("polyphase")
NEAR_AND_FAR = [(0, 0), (1, 0), (18, 31), (79, 80)]
OTHERS = ["vgg11_bn", "mobilenet_v2", "resnet50", "densenet121", "efficientnet_b0", "googlenet", "regnet_y_400mf"]


def noise(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def scene(places, picture, side=96, colour=COLOUR):
    """A picture at each of some places of a canvas."""
    found = torch.tensor(colour, dtype=picture.dtype)[:, None, None].repeat(len(places), 1, side, side)
    for image, (y, x) in zip(found, places, strict=True):
        image[:, y : y + picture.shape[1], x : x + picture.shape[2]] = picture
    return found


def lively(name):
    """A network with random biases and normalisation, of which every layer still differs from one picture to another.

    Without the activations' own statistics pictures fade: the last map of a deep random network is its background.
    """
    net = disturb(network(name))
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        net(scene([(0, 0), (16, 40), (30, 9)], noise(3, 48, 48, seed=1)))
    return net.eval()


def pooled(net, images, sampling=POLYPHASE):
    """Maximum, and sum of what differs from the background, [N, 2C]."""
    with torch.no_grad():
        found = net(bounded(images, RULES["unbounded"], COLOUR, sampling)).sampled()
    return torch.cat([found.content.amax((2, 3)), (found.content - found.background).sum((2, 3))], 1)


def spread(features):
    """Largest difference from the first image, of the largest feature: of maxima and of sums."""
    halves = features.chunk(2, 1)
    return [((half - half[:1]).abs().max() / half[0].abs().max()).item() for half in halves]


@pytest.mark.parametrize("name", ["resnet18", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_no_shift_on_an_endless_background_is_told(name):
    net, picture = lively(name), noise(3, 16, 16)
    found = torch.cat([pooled(net, scene([shift], picture)) for shift in NEAR_AND_FAR])
    assert max(spread(found)) < 1e-10
    strided = pooled(net, scene(NEAR_AND_FAR[:3], picture), Sampling("strided"))
    assert min(spread(strided)) > 0.05  # what is measured can tell


@pytest.mark.slow
def test_all_phases_of_a_network_of_stride_32():
    net, picture = lively("resnet18"), noise(3, 16, 16)
    first = pooled(net, scene([(0, 0)], picture, 64))
    for y in range(32):
        found = pooled(net, scene([(y, x) for x in range(32)], picture, 64))
        assert max(spread(torch.cat([first, found]))) < 1e-10


def test_images_of_a_batch_have_phases_of_their_own():
    net, pictures = lively("mobilenet_v2"), noise(3, 3, 16, 16)
    images = torch.cat([scene([(1 + 2 * i, 6 - i)], picture, 48) for i, picture in enumerate(pictures)])
    alone = torch.cat([pooled(net, image[None]) for image in images])
    torch.testing.assert_close(pooled(net, images), alone, rtol=1e-12, atol=1e-12)


def test_batch_statistics_that_train_tell_no_shift():
    net, pictures = disturb(network("resnet18")).train(), noise(2, 3, 16, 16)
    one, other = (
        pooled(net, torch.cat([scene([shift], p, 64) for p, shift in zip(pictures, shifts, strict=True)]))
        for shifts in (((0, 0), (9, 1)), ((7, 30), (12, 22)))
    )
    for half, moved in zip(one.chunk(2, 1), other.chunk(2, 1), strict=True):
        assert (half - moved).abs().max() < 1e-9 * half.abs().max()


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_no_circular_shift_is_told_on_a_torus_of_whole_strides(name):
    net, image = lively(name), noise(1, 3, 64, 64)
    images = torch.cat([image.roll(shift, (2, 3)) for shift in ((0, 0), (1, 0), (5, 19), (31, 40))])
    with torch.no_grad():
        found = unwrap(net(bounded(images, RULES["circular"], None, POLYPHASE)))
    assert max(spread(torch.cat([found.amax((2, 3)), found.sum((2, 3))], 1))) < 1e-10
    assert found.shape[2:] == (2, 2)


def largest(x, phases=None):
    """The reference, one image after another: the component of largest norm, or of given phases."""
    found, taken = [], []
    for i, image in enumerate(x):
        parts = {(py, px): image[:, py::2, px::2] for py in (0, 1) for px in (0, 1)}
        best = max(parts, key=lambda p: parts[p].norm()) if phases is None else phases[i]
        found.append(parts[best])
        taken.append(best)
    return torch.stack(found), taken


def written_out(net, x):
    """A ResNet of basic blocks on maps of even sides, as published but for its sampling."""

    def fine(conv, x):
        return F.conv2d(x, conv.weight, None, 1, conv.padding)

    x, _ = largest(F.relu(net.bn1(fine(net.conv1, x))))
    x, _ = largest(F.max_pool2d(x, 3, 1, 1))
    for block in (b for stage in (net.layer1, net.layer2, net.layer3, net.layer4) for b in stage):
        out = F.relu(block.bn1(fine(block.conv1, x)))
        if block.stride == 2:
            out, phases = largest(out)
            x, _ = largest(block.downsample[1](fine(block.downsample[0], x)), phases)
        x = F.relu(block.bn2(fine(block.conv2, out)) + x)
    return x


@pytest.mark.parametrize("train", [False, True])
def test_a_resnet_is_the_one_written_out_with_its_gradients(train):
    """Shortcuts take each image's phase of their main branch."""
    nets = [disturb(network("resnet18")).train(train) for _ in range(2)]
    x = noise(3, 3, 64, 64).requires_grad_()
    outs = [unwrap(nets[0](bounded(x, SAME, None, POLYPHASE))), written_out(nets[1].network, x)]
    torch.testing.assert_close(*outs, rtol=1e-9, atol=1e-9)
    weight = noise(*outs[0].shape, seed=1)
    one, other = (
        torch.autograd.grad((out * weight).sum(), [x, *net.network.layer3.parameters()])
        for out, net in zip(outs, nets, strict=True)
    )
    torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)


class Shortcut(nn.Module):
    """A strided block whose shortcut runs before its main branch."""

    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Tanh(), nn.Conv2d(4, 4, 3, 1, 1))
        self.short = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 4, 1))

    def forward(self, x):
        return self.short(x) + self.main(x)


@pytest.mark.parametrize("conv", ["unbounded", "full", "circular"])
def test_gradients_are_those_of_the_values(conv):
    net, x = Shortcut().double(), noise(2, 3, 4, 4).requires_grad_()
    colour = COLOUR if conv == "unbounded" else None
    torch.autograd.gradcheck(lambda x: unwrap(net(bounded(x, RULES[conv], colour, POLYPHASE))), x)


def test_whichever_branch_comes_first_the_other_follows():
    net, picture = Shortcut().double(), noise(3, 7, 7)
    assert max(spread(pooled(net, scene([(0, 0), (1, 0), (4, 9), (13, 8)], picture, 24)))) < 1e-12


@pytest.mark.parametrize("sampling", [POLYPHASE, Sampling("blur", 3)], ids=lambda s: s.downsample)
@pytest.mark.parametrize("rule", [SAME, RULES["unbounded"], RULES["circular"]], ids=lambda rule: rule.name)
def test_a_slice_that_leaves_entries_out_samples_as_a_strided_layer(rule, sampling):
    """The shortcut of the first ResNets for small pictures."""
    image = noise(2, 1, 8, 8)
    sliced = bounded(image, rule, None, sampling)[:, :, ::2, ::2]
    assert sliced.shape == (2, 1, 4, 4) or rule.name == "unbounded"
    assert torch.equal(unwrap(sliced.relu()), unwrap(identity()(bounded(image, rule, None, sampling)).relu()))


def identity(stride=2):
    """A strided layer that shows its input."""
    layer = nn.Conv2d(1, 1, 1, stride, bias=False).double()
    nn.init.ones_(layer.weight)
    return layer


def chosen(image, conv="unbounded", colour=(0.0,), stride=2):
    found = identity(stride)(bounded(image[None, None], RULES[conv], colour, POLYPHASE)).sampled()
    return found, tuple(int(found.passage.chosen[axis, stride]) for axis in (0, 1))


def test_the_norm_is_of_what_deviates_from_the_background():
    image = torch.full((8, 8), 10.0, dtype=torch.float64)
    image[2, 2], image[5, 5] = 9.0, 10.5
    _, phase = chosen(image, colour=(10.0,))
    assert phase == (0, 0)  # a deviation of -1 counts more than one of 0.5
    _, phase = chosen(image, "full")
    assert phase == (1, 1)  # on an edge of zeros the norm is of the map


@pytest.mark.parametrize(
    ("pixels", "phase"),
    [
        ([], (0, 0)),
        ([(3, 5)], (1, 1)),
        ([(2, 3), (3, 2)], (0, 1)),
        ([(3, 2), (3, 3)], (1, 0)),
        ([(1, 1), (3, 1), (4, 4), (4, 6)], (1, 1)),  # the second number counts neighbours in a column more
    ],
)
def test_ties_go_to_the_first_phase_rows_before_columns(pixels, phase):
    image = torch.zeros(8, 8, dtype=torch.float64)
    for pixel in pixels:
        image[pixel] = 1.0
    assert chosen(image)[1] == phase


@pytest.mark.parametrize("values", [(1.0, 2.0, 2.0, 1.0), (3.0, -1.0, -1.0, 3.0), (0.5, 0.5, 0.5, 0.5)])
@pytest.mark.parametrize("vertical", [False, True])
def test_tied_components_that_are_mirror_images_tell_no_shift(values, vertical):
    """Entries 1 2 2 1 hold the components 1 2 and 2 1, which a later kernel tells apart."""
    row, kernel = torch.tensor([values], dtype=torch.float64), nn.Conv2d(1, 4, 2).double()
    found = []
    for shift in (2, 3, 5, 8):
        image = F.pad(row, [shift, 10 - shift, 4, 4])
        maps = identity()(bounded((image.T if vertical else image)[None, None], RULES["unbounded"], None, POLYPHASE))
        out = kernel(maps).sampled()
        found.append(out.content.amax((2, 3)))
    assert max((each - found[0]).abs().max() for each in found) < 1e-14


def test_tied_components_that_hold_the_same_tell_no_shift():
    net, square = lively("resnet18"), torch.full((3, 8, 8), 0.7, dtype=torch.float64)
    assert max(spread(pooled(net, scene([(0, 0), (1, 0), (2, 3), (9, 17)], square, 32)))) < 1e-10


@pytest.mark.parametrize("conv", ["valid", "full"])
def test_each_phase_has_as_many_entries(conv):
    """Of a map that does not begin at a whole stride: where all phases lie inside, or where any has an entry on it."""
    image = noise(7, 7)
    shift = nn.Conv2d(1, 1, 2, bias=False).double()  # under valid and full, of another start than 0
    nn.init.zeros_(shift.weight)
    shift.weight.data[..., -1, -1] = 1.0
    found = nn.Sequential(shift, identity())(bounded(image[None, None], RULES[conv], None, POLYPHASE)).sampled()
    fine = shift(bounded(image[None, None], RULES[conv])).sampled()
    phase = [int(found.passage.chosen[axis, 2]) for axis in (0, 1)]
    y, x = (
        2 * torch.arange(a, b) + p - s for a, b, p, s in zip(found.start, found.end, phase, fine.start, strict=True)
    )
    padded = F.pad(fine.content[0, 0], [2] * 4)
    assert torch.equal(unwrap(found)[0, 0], padded[y + 2][:, x + 2])


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        ("padded behind", 8),  # as TensorFlow's networks are, on even sides
        ("unpadded", 9),
        ("unpadded", 8),
        ("padded", 9),  # the last entry of a phase lies beyond the map
        ("pool, ceil", 8),
        ("pool of one", 9),  # there is nothing that the last entry of a phase could see
    ],
)
def test_no_phase_of_the_published_network_lacks_an_entry(layer, side):
    """The reference: the largest phase of the layer without its stride, on an image padded as far as any phase sees."""
    weight = noise(4, 3, 3, 3, seed=2)
    images = noise(40, 3, side, side)
    if layer == "pool, ceil":
        net = nn.MaxPool2d(3, 2, ceil_mode=True)
        fine = F.max_pool2d(F.pad(images, (0, 4, 0, 4), value=-torch.inf), 3, 1)
    elif layer == "pool of one":
        net, fine = nn.MaxPool2d(1, 2), F.pad(images, (0, 4, 0, 4))
    else:
        net = nn.Conv2d(3, 4, 3, 2, 1 if layer == "padded" else 0, bias=False).double()
        net.weight.data[:] = weight
        before = 1 if layer == "padded" else 0
        fine = F.conv2d(F.pad(images, (before, 4, before, 4)), weight)
        net = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), net) if layer == "padded behind" else net
    published = net(images).shape[2]
    found = unwrap(net(bounded(images, SAME, None, POLYPHASE)).sampled())
    assert found.shape[2] == published
    wanted, taken = largest(fine[:, :, : 2 * published, : 2 * published])
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert layer == "pool of one" or set(taken) == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("axes", [1, 3])
def test_in_one_and_three_dimensions_of_space(axes):
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    net = nn.Sequential(kind(3, 4, 3, 2, 1), nn.Tanh(), kind(4, 5, 3, 2, 1), nn.Tanh()).double()
    picture, found = noise(3, *(5,) * axes), []
    for at in (0, 1, 2, 7):
        image = torch.tensor(COLOUR, dtype=torch.float64).reshape(1, 3, *(1,) * axes).repeat(1, 1, *(14,) * axes)
        image[(slice(None), slice(None), *(slice(at, at + 5),) * axes)] = picture
        out = net(bounded(image, RULES["unbounded"], COLOUR, POLYPHASE)).sampled()
        space = tuple(range(2, 2 + axes))
        found.append(torch.cat([out.content.amax(space), (out.content - out.background).sum(space)], 1))
    assert max(spread(torch.cat(found))) < 1e-12


def test_what_cannot_be_is_said_in_one_line():
    canvas = place(noise(1, 3, 8, 8), 32, [(0, 0), (3, 4)], COLOUR)
    layer = nn.Conv2d(3, 4, 3, 2, 1).double()
    with pytest.raises(UserError, match=r"^downsample=polyphase: each image [^\n]*canvas\.dense\(\)[^\n]*$"):
        unwrap(layer(bounded(canvas, RULES["unbounded"], COLOUR, POLYPHASE)))
    with pytest.raises(UserError, match=r"^downsample=polyphase: a circle of 9 entries has no phases of 2$"):
        unwrap(layer(bounded(noise(1, 3, 9, 9), RULES["circular"], None, POLYPHASE)))
    with pytest.raises(UserError, match=r"^conv=unbounded: [^\n]*interpolate[^\n]*phase of its own[^\n]*$"):
        F.interpolate(layer(bounded(noise(1, 3, 8, 8), RULES["unbounded"], None, POLYPHASE)), scale_factor=2)
