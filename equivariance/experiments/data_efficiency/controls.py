"""Controls, since full convolution costs several times the multiply-adds of same convolution and pools a larger map.

- `margin`: same convolution of an image in a wider margin of background, so that its last map is as large as full's.
- `width`: same convolution in a wider network, of as many multiply-adds as full's.
- `crop`: full convolution whose last map is cropped to the places that same convolution has.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import torch

from equivariance.canvas.cost import work
from equivariance.config import Arch
from equivariance.models import FeatureMap, hollow

if TYPE_CHECKING:
    from equivariance.experiments.data_efficiency.config import DataEfficiencyRun


@dataclass(frozen=True)
class Matched:
    """A run's network and image under its control.

    Args:
        arch: the network.
        margin: pixels of background around the image, on each side.
        kept: rows and columns of the last map that are pooled; None: all of them.
    """

    arch: Arch
    margin: int = 0
    kept: tuple[int, ...] | None = None


class Wider(Arch):
    """A network with a width of its own."""

    library: str  # type: ignore[assignment]
    kwargs: dict[str, Any]  # of its builder
    features: str | None = None


def matched(config: DataEfficiencyRun) -> Matched:
    """What a run's control makes of it; without one, what it is."""
    control, arch, canvas = config.experiment.control, config.arch, config.experiment.canvas
    full = "full, pools inside" if config.protocol == "released" else "full"
    if control == "margin":
        wanted = sides(arch, full, canvas)[0]
        margin = next(m for m in count() if sides(arch, "same", canvas + 2 * m)[0] >= wanted)
        return Matched(arch, margin=margin)
    if control == "crop":
        return Matched(arch, kept=sides(arch, "same", canvas))
    if control == "width":
        return Matched(_wide(config, _work(hollow(arch, full), canvas)))
    return Matched(arch)


def sides(arch: Arch, conv: str, side: int) -> tuple[int, ...]:
    """Rows and columns of a network's last map, of a square image."""
    network = hollow(arch, conv).eval().to("meta")
    with torch.no_grad():
        return tuple(network(torch.empty(1, 3, side, side, device="meta")).shape[2:])


def _wide(config: DataEfficiencyRun, wanted: int) -> Wider:
    """The network whose multiply-adds under same convolution are nearest to those wanted."""
    fixed = config.arch.model_dump()
    key, own = str(config.widening), fixed.pop("kwargs", None) or {}

    def made(width: int) -> Wider:
        return Wider(**{**fixed, "kwargs": {**own, key: width}})

    def cost(width: int) -> int:
        return _work(hollow(made(width), "same"), config.experiment.canvas)

    low, high = 1, 2
    while cost(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) < wanted else (low, middle)
    return made(min((low, high), key=lambda width: abs(cost(width) - wanted)))


def _work(network: FeatureMap, side: int) -> int:
    return work(network.eval(), torch.empty(1, 3, side, side, device="meta")).multiply_adds
