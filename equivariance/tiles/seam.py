"""What a guessed halo costs: how far a tiled output is from the whole image's, by distance from the seams."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivariance.errors import UserError
from equivariance.tiles.arrays import Prepare, Source
from equivariance.tiles.given import dropped, pixels
from equivariance.tiles.halo import halo as halo_of
from equivariance.tiles.output import Selected
from equivariance.tiles.plan import Plan, plan
from equivariance.tiles.running import tiled


@dataclass(frozen=True)
class Mismatch:
    """How far some units of a tiled output are from the whole image's.

    Args:
        largest: of the absolute differences.
        rms: root of their mean square.
        changed: share of places whose largest channel is another, in [0, 1]; 0 where there is one channel.
    """

    largest: float
    rms: float
    changed: float


@dataclass(frozen=True)
class Seam:
    """What tiles of some size and halo cost.

    Args:
        tile: pixels a side, halo included, an axis.
        halo: pixels (before, after) that were dropped, an axis.
        exact: the exact halo, the larger of before and after over all axes; None: there is none.
        scale: root mean square of the whole image's output, to compare with.
        all: over the whole output.
        by_distance: in order, the distance in pixels from the next seam and the mismatch there.
        disparity: root mean square by which batch norm in train mode changes the whole image's output; 0 without it.
    """

    tile: tuple[int, ...]
    halo: tuple[tuple[int, int], ...]
    exact: int | None
    scale: float
    all: Mismatch
    by_distance: tuple[tuple[float, Mismatch], ...]
    disparity: float

    def __str__(self) -> str:
        lines = [
            f"tile {list(self.tile)}, halo {[list(h) for h in self.halo]}"
            f" (exact: {'none' if self.exact is None else self.exact}), output of rms {self.scale:.3g}",
            f"{'pixels from a seam':>20}{'largest':>12}{'rms':>12}{'other class':>14}",
        ]
        rows = [("all", self.all), *((f"{d:g}", m) for d, m in self.by_distance if m.largest)]
        lines += [f"{name:>20}{m.largest:12.3g}{m.rms:12.3g}{100 * m.changed:12.3f} %" for name, m in rows[:24]]
        return "\n".join([*lines, f"batch norm in train mode changes the output by {self.disparity:.3g} (rms)"])


def seam(
    model: nn.Module,
    image: Any,
    tile: int | Sequence[int],
    halo: int | Sequence[int] | None = None,
    *,
    output: str | None = None,
    prepare: Prepare | None = None,
) -> Seam:
    """How far a network's output in tiles is from the whole image's, by distance from the seams.

    Each tile is given to the network as users do, with statistics of its own. Not for: images of which the network
    cannot take all at once.

    Args:
        model: as in `tiled`.
        image: as in `tiled`.
        tile: pixels a side, halo included, one number or one an axis.
        halo: pixels dropped at each end; None: the exact ones of its convolutions.
        output: as in `halo`.
        prepare: as in `tiled`.
    Raises: UserError: as `tiled`.
    Source: the mismatch of tiles and the disparity of train and eval mode are those of Buglakova et al., ICCV 2025
        (arXiv 2503.19545); by distance from a seam, and the proved halo, are this project's.

    >>> from torch import nn, rand
    >>> net, image = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.Conv2d(2, 2, 5, padding=2)), rand(1, 40, 40)
    >>> seam(net, image, 20, halo=2).all.largest > 1e-4, seam(net, image, 20, halo=4).all.largest < 1e-6
    (True, True)
    """
    network = Selected(model, output)
    source = Source(image, prepare, next((p for p in network.parameters() if p.is_floating_point()), None))
    dims = len(source.sides)
    found = halo_of(model, source.channels, dims, output)
    if not found.before:
        raise UserError(f"no halo is known; {found.reasons[-1]}")
    drops = dropped(found if halo is None else halo, dims)
    sides = pixels("tile", tile, dims, 1)
    parts = plan(network, source.channels, source.sides, sides, drops)
    with torch.no_grad():
        whole = _whole(network, source)
        other = _whole(Selected(_adapting(model), output), source)
    given = found if halo is None else halo
    apart = tiled(model, image, sides, given, output=output, prepare=prepare) - whole
    exact = max(*found.before, *found.after) if not found.reasons else None
    distances, classes = _distances(parts), _changed(whole, apart)
    return Seam(
        tuple(min(n, side) for n, side in zip(sides, source.sides, strict=True)),
        drops,
        exact,
        float(np.sqrt(np.mean(np.square(whole)))),
        _mismatch(apart, classes),
        tuple((float(d), _mismatch(apart[:, distances == d], classes[distances == d])) for d in np.unique(distances)),
        float(np.sqrt(np.mean(np.square(other - whole)))),
    )


def seams(
    model: nn.Module,
    image: Any,
    tile: int | Sequence[int],
    halos: Sequence[int],
    *,
    output: str | None = None,
    prepare: Prepare | None = None,
) -> list[Seam]:
    """`seam` for several halos; see there."""
    return [seam(model, image, tile, halo, output=output, prepare=prepare) for halo in halos]


def _whole(network: Selected, source: Source) -> np.ndarray:
    """The whole image's output [C, *space]."""
    images = source.read(tuple(slice(0, side) for side in source.sides))[None].to(source.device)
    found: Tensor = network(images)[0].cpu()
    return (found.float() if found.dtype == torch.bfloat16 else found).numpy()


def _adapting(model: nn.Module) -> nn.Module:
    """A copy whose batch norms take the statistics of what they are given."""
    copy = deepcopy(model)
    for module in copy.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return copy


def _distances(parts: Plan) -> np.ndarray:
    """Of each place of the output from the next seam, in pixels; infinite where there is none."""
    found = np.full(parts.shape[1:], np.inf)
    for axis, (spans, sight) in enumerate(zip(parts.spans, parts.whole.sights, strict=True)):
        units = np.arange(sight.size)
        for span in spans[1:]:
            away = np.where(units >= span.first, units - span.first, span.first - 1 - units) * float(sight.stride)
            shape = [-1 if d == axis else 1 for d in range(found.ndim)]
            found = np.minimum(found, away.reshape(shape))
    return found


def _changed(whole: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Where another channel is the largest."""
    return np.asarray(whole.argmax(0) != (whole + apart).argmax(0))


def _mismatch(apart: np.ndarray, changed: np.ndarray) -> Mismatch:
    return Mismatch(
        float(np.abs(apart).max()), float(np.sqrt(np.mean(np.square(apart, dtype=np.float64)))), float(changed.mean())
    )
