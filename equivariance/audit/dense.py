"""What only networks with a map as their output have: the halo, what a seam costs, and padding of batch mates."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equivariance.errors import UserError, reason
from equivariance.finite import finite
from equivariance.library.structure import evaluating
from equivariance.models import FeatureMap
from equivariance.tiles import Halo, halo, seam
from equivariance.tiles.output import Selected

# Pixels by which an image is padded, at the bottom and the right, to the size of its batch mates.
MATES = 64
# Times the precision of float64, as a share of the largest output.
ROUNDING = 4096


@dataclass(frozen=True)
class BatchMates:
    """What of an image's output changes when it is padded with zeros to the size of larger images in its batch.

    Args:
        padded: pixels added at the bottom and at the right.
        share: of the output's units that change, in [0, 1].
        depth: units between the innermost that changes and the nearer of the two padded ends, inclusive.
        units: of the output, rows and columns.
        largest: change, as a share of the largest output.
        floor: share that is rounding.
    """

    padded: int
    share: float
    depth: int
    units: tuple[int, int]
    largest: float
    floor: float


@dataclass(frozen=True)
class Dense:
    """What is asked of a network whose output is a map.

    Args:
        halo: pixels that tiles need around them, by proof.
        seam: root mean square by which an output of two tiles a side without any halo is off, as a share of the whole
            output's own root mean square; NaN where images are too small to be cut.
        mates: what padding to the size of batch mates changes.
    """

    halo: Halo
    seam: float
    mates: BatchMates


def dense(model: nn.Module, input_size: int, channels: int = 3, output: str | None = None, seed: int = 0) -> Dense:
    """The halo, the seam and batch mates' padding, on one image of noise.

    Args:
        model: maps images [N, channels, H, W] to a map; left as it is.
        input_size: pixels a side.
        channels: of the images.
        output: see `equivariance.halo`.
        seed: of the noise.
    Raises: UserError: the output is no map, the network has no weights, or fails on such images.
    """
    if isinstance(model, FeatureMap):
        raise UserError("tiles are asked of networks as they are, not of `with_conv`")
    with evaluating(model):
        found = halo(model, channels, 2, output)
    if any(p.is_meta for p in model.parameters()):
        raise UserError(f"the network has no weights; {str(found).splitlines()[0]}")
    noise = torch.randn(channels, input_size, input_size, generator=torch.Generator().manual_seed(seed))
    with evaluating(model):
        try:
            parts = seam(model, noise.numpy(), _half(input_size, found), 0, output=output)
            cost = parts.all.rms / parts.scale if parts.scale else 0.0
        except UserError:  # no two tiles fit
            cost = float("nan")
        return Dense(found, cost, _mates(model, noise, output))


def _half(input_size: int, found: Halo) -> int:
    step = max(found.grid, default=1)
    return max(step, input_size // 2 // step * step)


def _mates(model: nn.Module, noise: Tensor, output: str | None) -> BatchMates:
    network = Selected(deepcopy(model).double(), output)
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    image = noise.double()[None].to(device)
    try:
        with torch.no_grad():
            alone, among = network(image), network(nn.functional.pad(image, (0, MATES, 0, MATES)))
    except UserError:
        raise
    except Exception as error:  # other people's code: it may fail in any way
        raise UserError(f"fails on images padded by {MATES} pixels ({reason(error)})") from error
    if alone.dim() != 4 or any(a < b for a, b in zip(among.shape, alone.shape, strict=False)):
        raise UserError("the output is no map that grows with the image")
    height, width = alone.shape[2:]
    change = finite((among[:, :, :height, :width] - alone).abs().amax((0, 1)), "the output")
    scale = float(alone.abs().amax()) or 1.0
    floor = ROUNDING * torch.finfo(torch.float64).eps
    changed = change > floor * scale
    y, x = changed.nonzero(as_tuple=True)
    depth = int(torch.minimum(height - y, width - x).max()) if len(y) else 0
    return BatchMates(
        MATES, float(changed.double().mean()), depth, (height, width), float(change.amax()) / scale, floor
    )
