"""Every reader on every kind of network: values against dense, places against shifts, sight against the Jacobian."""

import contextlib
import gc

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.boundary import RULES, bounded, unwrap
from equivariance.canvas import Canvas, CanvasUnsupported, place
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.reach import Unseen, reach
from equivariance.theory import certified, smallest_certified_border
from tests.canvas.oracle import IllPosed, assert_equal, scene

from .networks import BETWEEN, GATED, network

COLOUR = (0.3, -0.2, 0.5)
TASK = Quadrant(9, 33, 0, COLOUR)  # places 24 pixels apart, a multiple of every stride here


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("train", [False, True])
def test_a_canvas_gives_values_and_gradients_of_dense(name, train):
    net = network(name).train(train)
    for seed in (1, 2, 3):  # a maximum may tie, where the dense gradient is noise: another picture has to do
        with contextlib.suppress(IllPosed):
            assert_equal(net, scene(3, n=2, side=20, seed=seed), jitters=1)
            return
    pytest.fail("dense itself is noise on three pictures")


@pytest.mark.parametrize("name", BETWEEN)
def test_unbounded_gives_the_same_wherever_the_picture_lies(name):
    net = network(name)
    pictures = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    pooled = []
    for y, x in ((0, 0), (24, 0), (8, 16), (24, 24)):
        image = torch.tensor(COLOUR, dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 33, 33).clone()
        image[:, :, y : y + 9, x : x + 9] = pictures
        with torch.no_grad():
            found = unwrap(net(bounded(image, RULES["unbounded"], COLOUR)))
        pooled.append(torch.cat([found.amax((2, 3)), found.mean((2, 3))], 1))
    for other in pooled[1:]:
        assert (other - pooled[0]).abs().max() < 1e-12 * pooled[0].abs().max()


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("conv", ["circular", "reflect", "replicate", "partial", "full", "unbounded"])
def test_under_a_type_a_canvas_gives_what_dense_images_give(name, conv):
    net, x = network(name), scene(3, n=1, side=20)
    with torch.no_grad():
        wanted, found = (unwrap(net(bounded(images, RULES[conv], COLOUR))) for images in (x.painted(), x.canvas()))
    found = found.dense() if isinstance(found, Canvas) else found
    assert (found - wanted).abs().max() < 1e-10 * wanted.abs().max()


def support(name, side=41):
    """Which rows of the image the middle unit's derivative is ever non-zero in, over random weights."""
    rows = torch.zeros(side, dtype=torch.bool)
    for seed in range(4):
        net = network(name, seed)
        image = torch.randn(1, 3, side, side, dtype=torch.float64, requires_grad=True)
        found = net(image)
        middle = found.shape[2] // 2
        found[:, :, middle, middle].sum().backward()
        rows |= image.grad.abs().amax((0, 1, 3)) > 0
    return rows, middle


@pytest.mark.parametrize("name", BETWEEN)
def test_a_unit_sees_what_its_derivative_says(name):
    rows, unit = support(name)
    found = reach(network(name), 41, 41)
    sight = found.sights[0]
    assert bool(found.pools) == (name in GATED)
    if name in GATED:
        assert rows.all()
        return
    first, last = (max(0, sight.stride * unit + sight.first), min(40, sight.stride * unit + sight.last))
    assert torch.nonzero(rows).flatten().tolist() == list(range(first, last + 1))


def difference(net, task, seed):
    picture = torch.randn(1, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    pooled = []
    for label in (0, 1):
        with torch.no_grad():
            found = net(task.images(picture, torch.tensor([label])).dense())
        pooled.append(torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1))
    return float((pooled[0] - pooled[1]).abs().max() / pooled[0].abs().max())


@pytest.mark.parametrize("name", BETWEEN)
def test_certified_means_equal_features_and_one_pixel_less_does_not(name):
    smallest = smallest_certified_border(network(name), TASK, limit=200)
    assert smallest is not None
    certain, below = Quadrant(9, 33, smallest, COLOUR), Quadrant(9, 33, smallest - 1, COLOUR)
    assert certified(network(name), certain)
    assert max(difference(network(name, seed), certain, seed) for seed in range(3)) < 1e-12
    assert max(difference(network(name, seed), below, seed) for seed in range(12)) > 1e-12


REFUSED = {
    "transpose": lambda x: x.transpose(2, 3),
    "cumsum": lambda x: x.cumsum(2),
    "flip": lambda x: x.flip(3, 1),
    "roll": lambda x: x.roll(1),
    "mean": lambda x: x.mean(3),
    "matmul": lambda x: x @ torch.ones(33, 3, dtype=torch.float64),
    "unfold": lambda x: F.unfold(x, 3),
    "view": lambda x: x.view(1, 3, -1),
    "softmax": lambda x: F.softmax(x, 2),
    "__setitem__": lambda x: x.__setitem__((slice(None), slice(None), 0), 1.0),
    "Tensor.data": lambda x: x.data,
    "Tensor.T": lambda x: x.T,
    "bernoulli": lambda x: torch.bernoulli(x),
    "out=": lambda x: torch.add(x, 1, out=torch.empty(1)),
    "grid_sample": lambda x: F.grid_sample(x, torch.zeros(1, 4, 4, 2, dtype=torch.float64), align_corners=False),
    "tril": lambda x: x.tril(),
    "sort": lambda x: x.sort(2),
    "dropout": lambda x: F.dropout(x, 0.5, True),
    "fft": lambda x: torch.fft.fft2(x),
}


class Leaf(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, x):
        return self.call(x)


def _on_canvas(net):
    return net(Quadrant(9, 33, 0, COLOUR).images(torch.rand(1, 3, 9, 9, dtype=torch.float64), torch.tensor([0])))


READERS = {
    "canvas": (_on_canvas, CanvasUnsupported),
    "boundary": (lambda net: net(bounded(torch.rand(1, 3, 33, 33, dtype=torch.float64), RULES["full"])), UserError),
    "reach": (lambda net: reach(net, 33, 33), Unseen),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_in_one_line_with_its_module(reader, name):
    run, error = READERS[reader]
    with pytest.raises(error) as refused:
        run(nn.Sequential(nn.ReLU(), Leaf(REFUSED[name])))
    said = str(refused.value)
    assert "\n" not in said
    assert "1 (Leaf)" in said
    assert name.rpartition(".")[2].strip("_=") in said


@pytest.mark.parametrize("reader", READERS)
def test_a_map_is_not_changed_while_another_one_in_use_shares_its_memory(reader):
    def call(x):
        part = x[:, :2]
        x.add_(1.0)
        return torch.cat([part, x], 1)

    run, error = READERS[reader]
    with pytest.raises(error, match="shares memory"):
        run(Leaf(call))


@pytest.mark.parametrize("conv", ["same", "unbounded"])
def test_maps_are_freed_as_soon_as_they_are_no_longer_used(conv):
    """A cycle would hold each layer's map until Python looks for cycles: gigabytes in deep networks of wide maps."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU6(), nn.GELU(), nn.MaxPool2d(2)).eval()
    features = FeatureMap(network, conv)
    images = (
        place(torch.rand(2, 3, 8, 8), 32, [(4, 4), (8, 8)], (0.0, 0.0, 0.0))
        if conv == "same"
        else torch.rand(2, 3, 32, 32)
    )
    with torch.no_grad():
        features(images)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            features(images)
            gc.collect()
            held = [kept for kept in gc.garbage if isinstance(kept, torch.Tensor)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert not held
