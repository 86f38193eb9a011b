"""A network over an image of any size, in tiles, with the output of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles.arrays import Prepare, Source, beside, target, weight, weights_digest
from equivariance.tiles.choose import choose
from equivariance.tiles.devices import devices as list_of
from equivariance.tiles.given import Dropped, dropped, pixels
from equivariance.tiles.halo import Halo
from equivariance.tiles.halo import halo as halo_of
from equivariance.tiles.output import Selected
from equivariance.tiles.passes import Run
from equivariance.tiles.plan import plan
from equivariance.tiles.record import Record

MEMORY = 2**30  # bytes


def tiled(
    model: nn.Module,
    image: Any,
    tile: int | Sequence[int] | None = None,
    halo: int | Sequence[int] | Halo | None = None,
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

    With the exact halo (the default) it is that of the whole image at once, to rounding: tiles at the image's edge keep
    that edge, and the network its own padding there. Statistics of the whole image (instance and group norm, gates) are
    taken over all tiles first, in a pass up to each. Memory is that of a batch for each device, and the next one. Not
    for: networks that attend over the map, which are refused by name.

    Args:
        model: maps images [N, C, *space] to a map; in the mode in which it is, left as it is.
        image: [C, *space], 1 to 3 axes; numpy, memmap, zarr, torch or anything that has a shape and takes slices.
        tile: pixels a side, halo included, one number or one an axis; with the exact halo smaller ones where no more of
            them are needed. None: the least recomputation within `memory`.
        halo: pixels dropped at each end of tiles, exact or not; statistics are then each tile's own. None: exact.
        output: as in `halo`.
        out: where to: None: a new array; a path: a .npy file; or an array [C, *space] that takes slices.
        batch: tiles at once.
        devices: each takes batches with a copy of the model; None: where the model is.
        memory: bytes that the maps of a batch may take, for tile=None.
        prepare: makes of each part of the image, as it is stored, what the model takes, pixel by pixel.
        record: file that notes what is finished, for the same call to go on after a kill; None: beside `out`, a file.
    Returns: `out`, or the new array.
    Raises: UserError: no exact halo, a tile off the grid or too small, an image or output that does not fit.

    >>> from torch import nn, rand
    >>> net, image = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.MaxPool2d(2)), rand(1, 50, 43)
    >>> bool(abs(tiled(net, image, tile=16) - net(image[None])[0].detach().numpy()).max() < 1e-6)
    True
    """
    network = Selected(model, output)
    source = Source(image, prepare, weight(model))
    drops = None if halo is None else dropped(halo, len(source.sides))
    (batch,) = pixels("batch", batch, 1, 1, "tiles")
    (memory,) = pixels("memory", memory, 1, 0, "bytes")
    sides = _sides(network, source, tile, drops is None, memory, batch)
    run, result = _begun(network, source, sides, drops, batch, list_of(devices or [source.device]), out, record)
    if drops is None:
        run.gather()
    run.write(result, known=drops is None)
    return result


def _begun(
    network: Selected,
    source: Source,
    sides: tuple[int, ...],
    drops: Dropped | None,
    batch: int,
    devices: list[Any],
    out: Any,
    record: str | Path | None,
) -> tuple[Run, Any]:
    """A run and its output, with what is finished of them."""
    tiles = plan(network, source.channels, source.sides, sides, drops)
    path = Path(record) if record is not None else beside(out)
    identity = {"image": source.digest(), "weights": weights_digest(network.model), "network": tiles.whole.digest()}
    choices = {"output": network.output, "tile": list(sides), "halo": str(drops), "batch": batch}
    kept = Record(path, identity | choices)
    file = Path(out) if isinstance(out, str | Path) else None
    if out is None or (file is not None and not file.exists()):
        kept.forget_tiles()
    result = target(out, tiles.shape, source.dtype, kept.goes_on)
    return Run(network, source, tiles, kept, batch, devices), result


def _sides(
    network: Selected, source: Source, tile: int | Sequence[int] | None, exact: bool, memory: int, batch: int
) -> tuple[int, ...]:
    """The sides of a tile.

    Raises: UserError: no tiles are exact and they ought to be, none fits, or it has another number of axes.
    """
    dims = len(source.sides)
    found = halo_of(network.model, source.channels, dims, network.output) if exact else None
    if found is not None and not found.exact and not found.two_passes:
        shape = [source.channels, *source.sides]
        raise UserError(f"no halo is exact for images [C, *space], as of {shape}; {found.reasons[-1]}")
    if tile is None and found is None:
        raise UserError("tile=None: allowed with the exact halo; with another: pixels a side, halo included")
    if tile is None and found is not None:
        return choose(network, found, source.channels, source.sides, memory, batch)
    return pixels("tile", tile, dims, 1)
