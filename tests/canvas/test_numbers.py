"""Numbers at the limits of their type: half precision, infinities and NaN show up just where dense shows them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.canvas import place

from .oracle import Scene, relative_error, scene

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bins", [1, 3])
def test_means_of_half_precision_are_summed_in_single(dtype, bins):
    x = place(torch.full((1, 3, 8, 8), 4.0, dtype=dtype), 300, [(20, 40)], (4.0, 4.0, 4.0))
    assert torch.equal(F.adaptive_avg_pool2d(x, bins), torch.full((1, 3, bins, bins), 4.0, dtype=dtype))


def test_means_under_autocast_are_those_of_single_precision():
    x = scene(16, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = x.canvas().mean((2, 3)), x.painted().mean((2, 3))
    assert found.dtype == wanted.dtype
    assert relative_error(found, wanted) < 1e-6


def test_a_sum_in_half_precision_is_dense_sum():
    x = scene(0, dtype=torch.float16)
    assert relative_error(x.canvas().sum((2, 3)), x.painted().double().sum((2, 3))) < 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_batch_norm_trains_wholly_in_half_precision(dtype):
    x, results = scene(0, dtype=dtype), []
    exact = scene(0)
    exact.pictures, exact.colour = x.pictures.double(), x.colour.double()
    for images, kind in ((x.canvas(), dtype), (x.painted(), dtype), (exact.painted(), torch.float64)):
        torch.manual_seed(0)
        norm = nn.BatchNorm2d(3).to(kind)
        (norm(images).relu() ** 2).mean((2, 3)).sum().backward()
        results.append([norm.weight.grad.double(), norm.bias.grad.double(), norm.running_var.double()])
        assert norm.weight.grad.dtype == kind
    for found, dense, wanted in zip(*results, strict=True):
        assert relative_error(found, wanted) < max(2 * relative_error(dense, wanted), 1e-2)


def _poisoned(value):
    x = scene(0)
    x.pictures[0, 1, 3, 4] = value
    return x


POOLS = {
    "amax": lambda x: x.amax((2, 3)),
    "max 1": lambda x: F.adaptive_max_pool2d(x, 1),
    "max 3": lambda x: F.adaptive_max_pool2d(x, 3),
    "max whole": lambda x: F.max_pool2d(x, 120),
    "mean": lambda x: x.mean((2, 3)),
    "avg 3": lambda x: F.adaptive_avg_pool2d(x, 3),
    "conv": lambda x: F.conv2d(x, torch.ones(2, 3, 5, 5, dtype=x.dtype), padding=2).mean((2, 3)),
}


@pytest.mark.parametrize("value", [INF, -INF, NAN])
@pytest.mark.parametrize("pool", POOLS)
def test_what_is_not_finite_shows_where_dense_shows_it(pool, value):
    x = _poisoned(value)
    found, wanted = POOLS[pool](x.canvas()), POOLS[pool](x.painted())
    assert torch.allclose(found, wanted, rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("value", [INF, NAN])
def test_a_tolerance_trims_nothing_beside_what_is_not_finite(value):
    x = _poisoned(value)
    with torch.inference_mode():
        found = F.avg_pool2d(x.canvas(tolerance=1e-6), 3, 1, 1)
        wanted = F.avg_pool2d(x.painted(), 3, 1, 1)
    assert torch.allclose(found.dense(), wanted, rtol=1e-12, equal_nan=True)


def test_ground_that_no_image_shows_harms_nobody():
    """Its logarithm is -inf, and stands for no cell."""
    pictures = scene(0).pictures.abs() + 0.1
    x = Scene(pictures, (56, 56), [(0, 0)] * 2, torch.zeros(3).double())
    gradients = []
    for images in (x.canvas, x.painted):
        given = pictures.clone().requires_grad_()
        mean = images(given).log().mean((2, 3))
        normal = F.batch_norm(images(given).log(), None, None, training=True)
        (mean.sum() + (normal.tanh() ** 2).mean((2, 3)).sum()).backward()
        gradients.append(given.grad)
    assert relative_error(*gradients) < 1e-10


def test_a_trimmed_average_that_leaves_its_padding_out_divides_right():
    x = scene(0)
    x.colour *= 1e-12
    with torch.inference_mode():
        found = F.avg_pool2d(x.canvas(tolerance=1e-6), 3, 1, 1, count_include_pad=False).mean((2, 3))
        wanted = F.avg_pool2d(x.painted(), 3, 1, 1, count_include_pad=False).mean((2, 3))
    assert relative_error(found, wanted) < 1e-5
