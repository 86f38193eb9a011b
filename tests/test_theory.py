"""Receptive fields and certificates against the published numbers and against brute force."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance import theory
from equivariance.boundary import unwrap
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.trunk import trunk
from equivariance.reach import reach
from equivariance.theory import certified, receptive_field, smallest_certified_border
from tests.models.networks import full

# Standard recursion, published architectures; 33, 435 and 2071 are the ones the paper's figure rests on.
FIELDS = {
    ("equivariance", "bagnet33"): (33, 8),
    ("torchvision", "resnet18"): (435, 32),
    ("torchvision", "resnet34"): (899, 32),
    ("torchvision", "resnet50"): (427, 32),
    ("torchvision", "resnet101"): (971, 32),
    ("torchvision", "densenet121"): (2071, 32),
    ("torchvision", "vgg16"): (212, 32),
}


@pytest.mark.parametrize(("library", "name"), FIELDS)
def test_receptive_field_and_stride_follow_from_the_network_itself(library, name):
    assert receptive_field(trunk(library, name)) == FIELDS[library, name]


class Full(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return unwrap(self.network(full(x)))


def small(kind: str) -> nn.Module:
    def conv(k, s, p):
        return nn.Conv2d(3 if not layers else 4, 4, k, s, p)

    layers: list[nn.Module] = []
    plan = {
        "same": [(3, 1, 1), (3, 2, 1), (3, 1, 1)],
        "valid": [(3, 1, 0), (3, 2, 0)],
        "stem": [(7, 2, 3), "pool", (3, 1, 1)],
        "even": [(2, 2, 0), (3, 1, 1)],
        "lopsided": [(4, 2, 1), (3, 1, 1)],
        "full": [(3, 1, 1), (3, 2, 1), (3, 1, 1)],
    }[kind]
    for step in plan:
        layers += [nn.MaxPool2d(3, 2, 1)] if step == "pool" else [conv(*step), nn.ReLU()]
    network = nn.Sequential(*layers).double()
    return Full(network) if kind == "full" else network


def difference(network: nn.Module, task: Quadrant, seed: int) -> float:
    """How far the pooled features of one picture at the two places are apart, for random weights."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    picture = torch.randn(1, 3, task.picture, task.picture, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        pooled = []
        for label in (0, 1):
            found = network(task.images(picture, torch.tensor([label])))
            pooled.append(torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1))
    return (pooled[0] - pooled[1]).abs().max().item()


@pytest.mark.parametrize("kind", ["same", "valid", "stem", "even", "lopsided", "full"])
def test_certified_means_equal_features_for_all_weights_and_one_pixel_less_does_not(kind):
    network = small(kind)
    bare = Quadrant(9, 33, 0, (0.3, -0.2, 0.5))  # shift 24, a multiple of every stride here
    smallest = smallest_certified_border(network, bare, limit=200)
    assert smallest is not None
    for border in (smallest, smallest + 1, smallest + 7):
        task = Quadrant(9, 33, border, bare.background)
        assert certified(network, task)
        assert max(difference(network, task, seed) for seed in range(3)) < 1e-12
    if smallest:
        below = Quadrant(9, 33, smallest - 1, bare.background)
        assert max(difference(network, below, seed) for seed in range(20)) > 1e-9


@pytest.mark.parametrize(
    "name", ["resnet18", *(pytest.param(name, marks=pytest.mark.slow) for name in ("resnet50", "densenet121"))]
)
def test_every_border_above_the_smallest_is_certified(name):
    network, bare = trunk("torchvision", name), Quadrant(56, 120, 0, (0.0,) * 3)
    smallest = smallest_certified_border(network, bare)
    borders = [*range(smallest - 1, smallest + 64), *range(smallest + 64, 4096, 61)]
    found = [certified(network, Quadrant(56, 120, b, bare.background)) for b in borders]
    assert found == [False] + [True] * (len(borders) - 1)


class Whole(nn.Module):
    """A network with a pool whose kernel is the whole map: it does not grow with the image as others do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return nn.functional.avg_pool2d(x, x.shape[2:])


@pytest.mark.parametrize("make", [lambda: trunk("torchvision", "resnet18"), Whole], ids=["resnet18", "whole"])
def test_what_follows_for_larger_images_is_what_they_give_themselves(make, monkeypatch):
    network = make()
    sides, passes = list(range(1024, 1216, 2)), []
    monkeypatch.setattr(theory, "reach", lambda *a, **k: passes.append(a) or reach(*a, **k))
    found = theory._pooled_on(network, sides, 32, 3)
    assert len(passes) == (len(sides) if isinstance(network, Whole) else 32)
    assert found == {side: reach(network, side, side).pooled for side in sides}


def test_paper_grid_is_certified_where_its_theory_says_so():
    def at(library, name, border):
        return certified(trunk(library, name), Quadrant(56, 120, border, (0.0,) * 3))

    assert [at("equivariance", "bagnet33", b) for b in (0, 16, 32)] == [False, False, True]
    assert [at("torchvision", "resnet18", b) for b in (128, 256, 512)] == [False, False, True]
    assert not at("torchvision", "densenet121", 512)


def test_places_out_of_phase_are_never_certified():
    network = small("same")
    assert not certified(network, Quadrant(9, 32, 100, (0.0,) * 3))
    assert smallest_certified_border(network, Quadrant(9, 32, 0, (0.0,) * 3)) is None


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v3_small", *(pytest.param(n, marks=pytest.mark.slow) for n in ("efficientnet_b0", "regnet_y_400mf"))],
)
def test_networks_with_gates_are_certified_where_their_pools_are(name):
    """Equal statistics make equal gates, so a certificate goes through them; out of phase there is none."""
    network = trunk("torchvision", name)
    assert smallest_certified_border(network, Quadrant(56, 120, 0, (0.0,) * 3)) in range(400, 2048)
    assert not certified(network, Quadrant(56, 121, 2048, (0.0,) * 3))


class Odd(nn.Module):
    """A convolution, then something that knows where it is."""

    def __init__(self, what):
        super().__init__()
        self.what, self.conv = what, nn.Conv2d(3, 4, 3, padding=1)
        self.place, self.mix = nn.Parameter(torch.randn(1, 4, 49, 49)), nn.Linear(49, 49)
        self.norm = nn.LayerNorm([4, 49, 49])

    def forward(self, x):
        x = self.conv(x)
        return {
            "sum": lambda: x + self.place,
            "product": lambda: x * self.place,
            "columns": lambda: self.mix(x),
            "ellipsis": lambda: x[..., 40:],
            "turned slice": lambda: x.permute(0, 2, 3, 1)[:, 40:].permute(0, 3, 1, 2),
            "norm": lambda: self.norm(x),
            "coordinates": lambda: torch.cat([x, self.place], 1),
            "bound": lambda: x.clamp(max=self.place),
        }[self.what]()


@pytest.mark.parametrize(
    "what", ["sum", "product", "columns", "ellipsis", "turned slice", "norm", "coordinates", "bound"]
)
def test_what_knows_its_place_is_never_certified(what):
    assert certified(nn.Conv2d(3, 4, 3, padding=1), Quadrant(9, 33, 8, (0.0,) * 3))
    assert not certified(Odd(what), Quadrant(9, 33, 8, (0.0,) * 3))


@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate"])
def test_padding_that_repeats_more_than_a_kernel_sees_is_not_certified(mode):
    """A unit may then see copies of pixels that are out of its own reach."""
    far, near = (nn.Conv2d(3, 4, 3, padding=p, padding_mode=mode).double() for p in (6, 1))
    task = Quadrant(8, 24, 2, (0.3, -0.2, 0.5))
    assert certified(near, task)
    assert difference(near, task, 0) < 1e-12
    assert not certified(far, task)
    if mode != "replicate":
        assert difference(far, task, 0) > 1e-6


@pytest.mark.parametrize("conv", ["valid", "full", "circular", "reflect", "replicate", "partial"])
def test_every_convolution_type_has_a_certified_border(conv):
    from equivariance.models.classifier import FeatureMap

    smallest = smallest_certified_border(
        FeatureMap(trunk("equivariance", "bagnet33"), conv), Quadrant(56, 120, 0, (0.0,) * 3)
    )
    assert smallest is not None
    assert 24 <= smallest <= 33


class Ending(nn.Module):
    """A 1×1 convolution and something that happens to its map."""

    def __init__(self, end):
        super().__init__()
        self.conv, self.end = nn.Conv2d(3, 4, 1), end

    def forward(self, x):
        return self.end(self.conv(x))


def test_padding_before_the_pooling_is_not_certified():
    wraps = Ending(lambda x: nn.functional.pad(x, (3, 3, 3, 3), mode="circular"))
    assert not certified(wraps, Quadrant(8, 38, 1, (0.0,) * 3))


def test_a_crop_under_unbounded_is_refused():
    """It would cut what the map has grown by, and with it the picture at the bottom right."""
    from equivariance.models.classifier import FeatureMap

    network = FeatureMap(Ending(lambda x: x[:, :, :-2, :-2]), "unbounded")
    with pytest.raises(UserError, match=r"conv=unbounded.*crops"):
        network(torch.zeros(1, 3, 16, 16))


def test_deep_networks_without_padding_have_a_bound():
    from equivariance.models.classifier import FeatureMap

    bound = smallest_certified_border(
        FeatureMap(trunk("torchvision", "resnet18"), "valid"), Quadrant(56, 120, 0, (0.0,) * 3)
    )
    assert bound is not None


class Choosy(nn.Module):
    """Two branches that meet on images of a multiple of four pixels alone."""

    def __init__(self):
        super().__init__()
        self.strided = nn.ModuleList(nn.Conv2d(3, 3, 3, 2, 1) for _ in range(2))

    def forward(self, x):
        for conv in self.strided:
            x = conv(x) + F.avg_pool2d(x, 2)
        return x


def test_of_a_network_that_runs_on_some_sizes_alone_these_decide():
    network, task = Choosy(), Quadrant(8, 40, 0, (0.0,) * 3)
    runs = [b for b in range(120) if (40 + 2 * b) % 4 == 0]
    proved = {b: certified(network, Quadrant(8, 40, b, (0.0,) * 3)) for b in runs}
    expected = 1 + max(b for b in runs if not proved[b])
    assert smallest_certified_border(network, task) == expected
    assert not any(certified(network, Quadrant(8, 40, b, (0.0,) * 3)) for b in range(120) if b not in runs)
    assert smallest_certified_border(network, Quadrant(9, 41, 0, (0.0,) * 3)) is None  # it runs on no odd image
