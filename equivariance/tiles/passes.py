"""The passes over the tiles of an image: one for each statistic of all of it, then the one that is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivariance.errors import UserError
from equivariance.tiles.arrays import Source, held
from equivariance.tiles.devices import spread
from equivariance.tiles.output import Selected
from equivariance.tiles.plan import Plan
from equivariance.tiles.record import Record
from equivariance.tiles.spans import Tile
from equivariance.tiles.statistics import Known, Moments, Reached
from sweeps.terminal import track

EVERY = 10.0  # seconds between notes of statistics that are being gathered

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
                out[(slice(None), *(slice(s.first, s.last) for s in tile))] = held(part, out)
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
