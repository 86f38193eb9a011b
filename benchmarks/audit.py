"""The audit's figures beside the same by the means that exist, in one process: numbers must be equal, times are told.

    python -m benchmarks audit                       # ResNet-18, canvas of 1144 pixels, one thread
    python -m benchmarks audit --arch mobilenet_v2 --canvas 512

Receptive field: from structure, beside the extent of a gradient from the middle of the last map, in float64, weights
made positive so that nothing cancels. Consistency: class scores of pictures at random places of an empty canvas, by the
canvas engine, beside a plain loop over dense images. Shift: the error of each layer's map when pictures move by their
period, by forward hooks on canvases, beside the same hooks on dense images. What is timed is the median of three,
alternating.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from equivariance import receptive_field
from equivariance.audit.shifts import shifts
from equivariance.canvas import place
from equivariance.models.own import SIDE, feature_map

PICTURES, PICTURE, ROUNDS = 8, 56, 3
# Pictures whose maps forward hooks keep; larger dense images would fill the memory. Of most networks the period.
HOOKED, LARGEST, PERIOD = 2, 1144, 32


def main(arguments: list[str]) -> None:
    """Prints a row a figure: time of ours, of theirs, ratio, and how far apart the numbers are."""
    parser = argparse.ArgumentParser("python -m benchmarks audit", description=__doc__)
    parser.add_argument("--arch", default="resnet18", help="of torchvision")
    parser.add_argument("--canvas", type=int, default=1144, help="pixels a side")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    from torchvision import models

    net = models.get_model(given.arch, weights=None).eval()
    print(f"{'figure':28} {'ours, ms':>10} {'theirs, ms':>11} {'ratio':>8}   numbers")
    ours, theirs, found = _timed(lambda: receptive_field(net).field, lambda: probed(net))
    _row("receptive field", ours, theirs, f"{found[0]} and {found[1]}")
    pictures = torch.randn(PICTURES, 3, PICTURE, PICTURE)
    most = given.canvas - PICTURE + 1
    corners = [(int(y), int(x)) for y, x in torch.randint(0, most, (PICTURES, 2))]
    with torch.no_grad():
        ours, theirs, found = _timed(
            lambda: net(place(pictures, given.canvas, corners, (0.0, 0.0, 0.0))),
            lambda: looped(net, pictures, given.canvas, corners),
        )
    apart = (found[0] - found[1]).abs().max() / found[1].abs().max()
    alike = int((found[0].argmax(1) == found[1].argmax(1)).sum())
    said = f"{apart:.1e} apart, {alike} of {PICTURES} decisions alike"
    _row(f"scores at places of {given.canvas}", ours, theirs, said)
    few, size = pictures[:HOOKED], min(given.canvas, LARGEST)
    ours, theirs, found = _timed(
        lambda: shifts(net, few, size, PERIOD).layers, lambda: shifts(net, few, size, PERIOD, "dense").layers
    )
    off = max(abs(a.error - b.error) for a, b in zip(*found, strict=True))
    _row(
        f"shift of {len(found[0])} layers on {size}",
        ours,
        theirs,
        f"{off:.1e} apart, {max(e.error for e in found[0]):.2g} at most",
    )


def _row(figure: str, ours: float, theirs: float, numbers: str) -> None:
    print(f"{figure:28} {1000 * ours:10.1f} {1000 * theirs:11.1f} {theirs / ours:7.1f} ×   {numbers}")


def _timed(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float, tuple]:
    """Median seconds of both, and what they gave; once before anything is timed."""
    found, seconds = (ours(), theirs()), ([], [])
    for _ in range(ROUNDS):
        for spent, run in zip(seconds, (ours, theirs), strict=True):
            began = time.perf_counter()
            run()
            spent.append(time.perf_counter() - began)
    return statistics.median(seconds[0]), statistics.median(seconds[1]), found


def looped(net: nn.Module, pictures: Tensor, canvas: int, corners: list[tuple[int, int]]) -> Tensor:
    """Scores [n, classes], a dense image at a time."""
    found = []
    for picture, (y, x) in zip(pictures, corners, strict=True):
        image = torch.zeros(1, 3, canvas, canvas)
        image[0, :, y : y + PICTURE, x : x + PICTURE] = picture
        found.append(net(image))
    return torch.cat(found)


def probed(net: nn.Module, side: int = 1024) -> int:
    """The receptive field in pixels: from the first row to the last whose gradient is not 0."""
    from copy import deepcopy

    positive = deepcopy(net).double()
    with torch.no_grad():
        for weights in positive.parameters():
            weights.copy_(weights.abs() + 0.1)
    for module in positive.modules():  # a maximum hands the gradient to one pixel alone, not to all that it sees
        for name, pool in module.named_children():
            if isinstance(pool, nn.MaxPool2d):
                average = nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)
                setattr(module, name, average)
    trunk = feature_map(positive, type(net).__name__, None, torch.zeros(1, 3, SIDE, SIDE).double())
    image = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    features = trunk(image)
    middle = features[0, :, features.shape[2] // 2, features.shape[3] // 2].sum()
    (gradient,) = torch.autograd.grad(middle, image)
    rows = gradient[0].abs().amax((0, 2)).nonzero().flatten()
    return int(rows[-1] - rows[0] + 1)
