"""What a guessed halo costs: how far a tiled output is from the whole image's, by distance from the seams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles.arrays import Prepare, Source, weight
from equivariance.tiles.disparity import disparity
from equivariance.tiles.given import Dropped, dropped, pixels
from equivariance.tiles.halo import halo as halo_of
from equivariance.tiles.mismatch import Mismatch, whole
from equivariance.tiles.output import Selected
from equivariance.tiles.plan import Plan, plan
from equivariance.tiles.running import tiled


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
        disparity: of the whole image's output with batch norm's statistics of this image; see `train_eval_disparity`.
    """

    tile: tuple[int, ...]
    halo: tuple[tuple[int, int], ...]
    exact: int | None
    scale: float
    all: Mismatch
    by_distance: tuple[tuple[float, Mismatch], ...]
    disparity: Mismatch

    def __str__(self) -> str:
        lines = [
            f"tile {list(self.tile)}, halo {[list(h) for h in self.halo]}"
            f" (exact: {'none' if self.exact is None else self.exact}), output of rms {self.scale:.3g}",
            f"{'pixels from a seam':>20}{'largest':>12}{'rms':>12}{'other class':>14}",
        ]
        rows = [("all", self.all), *((f"{d:g}", m) for d, m in self.by_distance if m.largest)]
        lines += [f"{name:>20}{m.largest:12.3g}{m.rms:12.3g}{100 * m.changed:12.3f} %" for name, m in rows[:24]]
        moved = f"{self.disparity.rms:.3g} (rms), {100 * self.disparity.changed:.3g} % of classes"
        return "\n".join([*lines, f"batch norm with statistics of this image changes the output by {moved}"])


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
    Source: the mismatch of tiles is that of Buglakova et al., ICCV 2025 (arXiv 2503.19545), who take it between tiles
        that overlap; against the whole image, by distance from a seam, and the proved halo are this project's.

    >>> from torch import nn, rand
    >>> net, image = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.Conv2d(2, 2, 5, padding=2)), rand(1, 40, 40)
    >>> seam(net, image, 20, halo=2).all.largest > 1e-4, seam(net, image, 20, halo=4).all.largest < 1e-6
    (True, True)
    """
    return seams(model, image, tile, [halo], output=output, prepare=prepare)[0]


def seams(
    model: nn.Module,
    image: Any,
    tile: int | Sequence[int],
    halos: Sequence[int | Sequence[int] | None],
    *,
    output: str | None = None,
    prepare: Prepare | None = None,
) -> list[Seam]:
    """`seam` for several halos; see there."""
    network, source = Selected(model, output), Source(image, prepare, weight(model))
    dims = len(source.sides)
    found = halo_of(model, source.channels, dims, output)
    if not found.before:
        raise UserError(f"no halo is known; {found.reasons[-1]}")
    exact = max(*found.before, *found.after) if not found.reasons else None
    sides, given = pixels("tile", tile, dims, 1), [found if each is None else each for each in halos]
    plans = [plan(network, source.channels, source.sides, sides, dropped(each, dims)) for each in given]
    right = whole(network, source)
    moved = disparity(network, source, right)
    every = (tiled(model, image, sides, each, output=output, prepare=prepare) for each in given)
    return [
        _seam(sides, dropped(each, dims), exact, parts, right, other, moved)
        for each, parts, other in zip(given, plans, every, strict=True)
    ]


def _seam(
    tile: tuple[int, ...],
    drops: Dropped,
    exact: int | None,
    parts: Plan,
    right: np.ndarray,
    other: np.ndarray,
    moved: Mismatch,
) -> Seam:
    distances = _distances(parts)
    rows = {float(d): distances == d for d in np.unique(distances)}
    return Seam(
        tuple(min(n, side) for n, side in zip(tile, parts.whole.sides, strict=True)),
        drops,
        exact,
        float(np.sqrt(np.mean(np.square(right, dtype=np.float64)))),
        Mismatch.of(right, other),
        tuple((d, Mismatch.of(right[:, there], other[:, there])) for d, there in rows.items()),
        moved,
    )


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
