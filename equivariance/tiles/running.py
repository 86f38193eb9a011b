"""A network over an image of any size, in tiles, with the output of the whole image."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.errors import UserError
from equivariance.tiles.arrays import Prepare, Source, beside, target, weights_digest
from equivariance.tiles.choose import choose
from equivariance.tiles.devices import spread
from equivariance.tiles.halo import Halo
from equivariance.tiles.halo import halo as exact_halo
from equivariance.tiles.output import Selected
from equivariance.tiles.plan import Plan, Tile, dropped, plan
from equivariance.tiles.record import Record
from equivariance.tiles.statistics import Known, Moments, Reached
from sweeps.terminal import track

MEMORY = 2**30  # bytes
EVERY = 10.0  # seconds between notes of statistics that are being gathered


def tiled(
    model: nn.Module,
    image: Any,
    tile: int | tuple[int, ...] | None = None,
    halo: int | tuple[int, ...] | Halo | None = None,
    *,
    output: str | None = None,
    out: Any = None,
    batch: int = 1,
    devices: Sequence[str | torch.device] | None = None,
    memory: int = MEMORY,
    prepare: Prepare | None = None,
    record: str | Path | None = None,
) -> Any:
    """A network's output for a whole image, computed in tiles.

    With the exact halo (the default) it is the output of the whole image at once, to rounding, whatever the weights:
    tiles at the image's edge keep that edge, and the network its own padding there. Statistics of the whole image
    (instance and group norm, squeeze-and-excitation) are taken over all tiles first, in a pass up to each of them, so
    that n of them cost about n / 2 forward passes more. Memory is that of one batch of tiles for each device, and the
    next one. Not for: networks that attend over the map, which are refused by name.

    Args:
        model: maps images [N, C, *space] to a map; in the mode in which it is, left as it is.
        image: [C, *space], 1 to 3 axes; numpy, memmap, zarr, torch or anything that has a shape and takes slices.
        tile: pixels a side, halo included, one number or one an axis; None: the least recomputation within `memory`.
        halo: pixels at each end of a tile that are dropped instead of the exact ones: what `seam` measures. Statistics
            are then each tile's own.
        output: as in `halo`.
        out: where to: None: a new array; a path: a .npy file; or an array [C, *space] that takes slices.
        batch: tiles at once.
        devices: each takes batches with a copy of the model; None: where the model is.
        memory: bytes that the maps of a batch may take, for tile=None.
        prepare: makes of each part of the image, as it is stored, what the model takes, pixel by pixel.
        record: file that notes what is finished, so that the same call goes on after a kill; None: beside `out`, where
            that is a file.
    Returns: `out`, or the new array.
    Raises: UserError: one line: no exact halo, a tile off the grid or too small, an image or output that does not fit.

    >>> import numpy as np
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.MaxPool2d(2)).eval()
    >>> image = np.random.default_rng(0).random((1, 50, 43), dtype=np.float32)
    >>> with torch.no_grad():
    ...     whole = net(torch.from_numpy(image)[None])[0].numpy()
    >>> bool(np.allclose(tiled(net, image, tile=16), whole, atol=1e-6))
    True
    """
    network = Selected(model, output)
    source = Source(image, prepare, next((p for p in model.parameters() if p.is_floating_point()), None))
    drops = None if halo is None else dropped(halo, len(source.sides))
    sides = None if tile is None else _each(tile, len(source.sides))
    if drops is None:
        found = exact_halo(model, source.channels, len(source.sides), output)
        _check(found)
        sides = sides or choose(network, found, source.channels, source.sides, memory, batch)
    if sides is None:
        raise UserError("tile=None: allowed with the exact halo; with another: pixels a side, halo included")
    tiles = plan(network, source.channels, source.sides, sides, drops)
    path = Path(record) if record is not None else beside(out)
    result = target(out, tiles.shape, source.dtype, path)
    identity = {"image": source.digest(), "weights": weights_digest(model), "tile": list(sides), "halo": str(drops)}
    kept = Record(path, {**identity, "output": output, "batch": batch, "shape": list(tiles.shape)})
    run = Run(network, source, tiles, kept, batch, list(devices or [source.device]))
    if drops is None:
        run.gather()
    run.write(result, known=drops is None)
    return result


def _check(halo: Halo) -> None:
    """Raises UserError where no tiles are exact."""
    if not halo.exact and not halo.two_passes:
        raise UserError(f"no halo is exact; {halo.reasons[-1]}")


def _each(tile: int | tuple[int, ...], dims: int) -> tuple[int, ...]:
    sides = tile if isinstance(tile, tuple) else (tile,) * dims
    if len(sides) != dims or min(sides) < 1:
        raise UserError(f"tile={tile}: allowed: pixels from 1, one number or {dims}")
    return sides


Numbered = tuple[int, Tile]


@dataclass
class Run:
    """A network over the tiles of an image.

    Args:
        network: the model and which output is the map.
        source: the image.
        plan: its tiles.
        record: what is finished.
        batch: tiles at once.
        devices: where.
    """

    network: Selected
    source: Source
    plan: Plan
    record: Record
    batch: int
    devices: list[Any]

    def gather(self) -> None:
        """Takes the statistics that are not known yet, one pass for each."""
        statistics, batches = self.plan.whole.statistics, self._batches(list(enumerate(self.plan.tiles)))
        for number in range(len(statistics)):
            what, said = f"statistics {number + 1} of {len(statistics)}", time.monotonic()
            done, total = self.record.moments.get(number, (0, None))
            for _, found in self._over(batches[done:], what, self._moments(number)):
                for moments in found:
                    total = moments if total is None else total.merged(moments)
                done += 1
                if total is not None and (done == len(batches) or time.monotonic() - said >= EVERY):
                    self.record.statistic(number, done, total)
                    said = time.monotonic()

    def write(self, out: Any, known: bool) -> None:
        """Computes the tiles that are not finished.

        Args:
            out: takes them.
            known: whether statistics are those that were gathered; else each tile's own.
        """
        keys = [s.key for s in self.plan.whole.statistics] if known else []

        def compute(network: Selected, images: Tensor, tiles: list[Tile]) -> list[Tensor]:
            with Known(keys, self._known(len(keys))):
                maps = network(images)
            kept = (m[(slice(None), *(s.kept for s in tile))] for m, tile in zip(maps, tiles, strict=True))
            return [part.cpu() for part in kept]

        rest = [(n, tile) for n, tile in enumerate(self.plan.tiles) if n not in self.record.done]
        for tiles, maps in self._over(self._batches(rest), "tiles", compute):
            for (_, tile), part in zip(tiles, maps, strict=True):
                part = part.float() if part.dtype == torch.bfloat16 else part
                out[(slice(None), *(slice(s.first, s.last) for s in tile))] = part.numpy()
            if hasattr(out, "flush"):
                out.flush()
            self.record.tiles([number for number, _ in tiles])

    def _moments(self, number: int) -> Any:
        """Computes the moments of a statistic's map in each of some tiles."""
        keys = [s.key for s in self.plan.whole.statistics][: number + 1]

        def compute(network: Selected, images: Tensor, tiles: list[Tile]) -> list[Moments]:
            try:
                with Known(keys, self._known(number)):
                    network(images)
            except Reached as reached:
                owned = (self.plan.owned(number, tile) for tile in tiles)
                return [Moments.of(m[(slice(None), *part)]) for m, part in zip(reached.map, owned, strict=True)]
            raise UserError("the model takes another way on images than on a blank one")

        return compute

    def _known(self, count: int) -> list[Moments]:
        """Those of the first statistics."""
        return [self.record.moments[number][1] for number in range(count)]

    def _batches(self, tiles: list[Numbered]) -> list[list[Numbered]]:
        """Tiles of one shape together."""
        alike: dict[tuple[int, ...], list[Numbered]] = {}
        for number, tile in tiles:
            alike.setdefault(tuple(span.length for span in tile), []).append((number, tile))
        return [g[at : at + self.batch] for g in alike.values() for at in range(0, len(g), self.batch)]

    def _over(
        self, batches: list[list[Numbered]], what: str, compute: Any
    ) -> Iterator[tuple[list[Numbered], list[Any]]]:
        """What is computed of each batch of tiles, in order."""

        def task(network: Selected, device: Any, images: Tensor, batch: list[Numbered]) -> Any:
            with torch.no_grad():
                return batch, compute(network, images.to(device), [tile for _, tile in batch])

        reading = ((self._read(batch), batch) for batch in batches)
        yield from track(spread(self.network, self.devices, reading, task), len(batches), what)

    def _read(self, batch: list[Numbered]) -> Tensor:
        spaces = (tuple(slice(span.start, span.end) for span in tile) for _, tile in batch)
        return torch.stack([self.source.read(space) for space in spaces])
