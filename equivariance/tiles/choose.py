"""The tile with the least recomputation that fits the memory."""

from __future__ import annotations

from itertools import product
from math import prod

from equivariance.errors import UserError
from equivariance.tiles.halo import Halo
from equivariance.tiles.output import Selected
from equivariance.tiles.trace import trace

MOST = 64  # tiles along an axis that are tried one by one


def choose(
    network: Selected, halo: Halo, channels: int, sides: tuple[int, ...], memory: int, batch: int
) -> tuple[int, ...]:
    """The sides of a tile, halo included, with which a network computes least.

    Args:
        network: the model and which output is the map.
        halo: what is recomputed.
        channels: of the image.
        sides: of the image, in pixels.
        memory: bytes that the maps of a batch of tiles may take.
        batch: tiles.
    Raises: UserError: not even the smallest tile fits.
    """
    each = [
        _lengths(side, sum(margin), grid, least)
        for side, margin, grid, least in zip(sides, halo.margin, halo.grid, halo.tile, strict=True)
    ]
    # Maps grow with the tile's volume, but for what lies beyond its edges: an estimate, checked below.
    share = halo.memory / prod(halo.tile)
    found = [(prod(n * k for n, k in pairs), tuple(n for n, _ in pairs)) for pairs in product(*each)]
    for _, tile in sorted(found, key=lambda pair: (pair[0], -prod(pair[1]))):
        if batch * share * prod(tile) < 1.5 * memory and batch * trace(network, tile, channels).memory <= memory:
            return tile
    least = halo.memory * batch / 2**20
    raise UserError(
        f"memory={memory}: the maps of the smallest tile take {least:.1f} MiB; allowed: more, or a smaller batch"
    )


def _lengths(side: int, margins: int, grid: int, least: int) -> list[tuple[int, int]]:
    """Lengths of tiles along an axis, each with how many of them cover it."""
    found, number = [(side, 1)], 2
    while True:
        length = -(-(side + (number - 1) * margins) // number)
        length = max(-(-length // grid) * grid, least)
        if length < side:
            found.append((length, number))
        if length <= least or (length >= side > margins and number > side):
            return found
        number = number + 1 if number < MOST else number * 5 // 4
