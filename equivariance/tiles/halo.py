"""How much of an image a network must be shown around a tile, so that its output is that of the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from torch import nn

from equivariance.errors import UserError
from equivariance.reach import Pixels
from equivariance.reach.sight import whole
from equivariance.tiles.axis import Axis, first_change, needed
from equivariance.tiles.output import Selected
from equivariance.tiles.trace import Reason, Trace, Unfollowed, trace

# Pixels a side that are tried first: multiples of most strides.
SIDES = (1024, 1080, 1260, 1176)
LARGEST = 2**18


@dataclass(frozen=True)
class Halo:
    """What tiles of an image need for their output to be the whole image's; all tuples hold one number an axis.

    Output unit u lies at pixel offset + u / scale. What a network shows for pixels a ... b of the whole image, it also
    shows for pixels a - before ... b + after alone, which are extended to multiples of `grid` or cut at the image's own
    edges.

    Args:
        exact: whether tiles with this halo are exact, whatever the weights.
        before: pixels needed before what is kept of a tile.
        after: pixels needed after it.
        grid: pixels; tiles start at multiples of it, and end there or at the image's end.
        tile: pixels a side of the smallest tile of which something can be kept.
        sides: the whole image's sides must be multiples of it; 1: any.
        offset: pixel at which the first unit of the output lies.
        scale: units of the output for a pixel.
        memory: bytes of the maps that are alive at once for the smallest tile; what kernels need besides not counted.
        reasons: what keeps tiles from being exact; empty if exact.
        two_passes: whether `tiled` is exact nevertheless, by taking statistics over all tiles first.
    """

    exact: bool
    before: tuple[int, ...]
    after: tuple[int, ...]
    grid: tuple[int, ...]
    tile: tuple[int, ...]
    sides: tuple[int, ...]
    offset: tuple[Pixels, ...]
    scale: tuple[Pixels, ...]
    memory: int
    reasons: tuple[Reason, ...] = ()
    two_passes: bool = False

    def __str__(self) -> str:
        lines = [f"exact       {'yes' if self.exact else 'no; ' + str(len(self.reasons)) + ' layers forbid it'}"]
        if self.before:
            lines += [
                f"halo        {_by(self.before)} pixels before a tile, {_by(self.after)} after it",
                f"grid        tiles start at multiples of {_by(self.grid)}",
                f"image       {'any size' if set(self.sides) == {1} else f'sides of multiples of {_by(self.sides)}'}",
                f"tile        {_by(self.tile)} at least, halo included ({self.memory / 2**20:.1f} MiB of maps)",
                f"output      {_by(self.scale)} units a pixel, the first at pixel {_by(self.offset)}",
            ]
        lines += [f"{'reasons' if not n else '':12}{found}" for n, found in enumerate(self.reasons)]
        if self.two_passes:
            lines.append("tiled       exact all the same: it takes these statistics over all tiles first")
        return "\n".join(lines)

    @property
    def margin(self) -> tuple[tuple[int, int], ...]:
        """Before and after in multiples of the grid, as tiles with a kept part on the grid need them."""
        return tuple((_up(b, g), _up(a, g)) for b, a, g in zip(self.before, self.after, self.grid, strict=True))


def halo(model: nn.Module, channels: int = 3, dims: int = 2, output: str | None = None) -> Halo:
    """The exact halo of a network with a map as its output, from its structure alone.

    Exact means: whatever the weights and the image, to rounding; and for some weights one pixel less is not. Not for:
    networks that attend over the map, or are given more than an image, which are refused or named as a reason.

    Args:
        model: maps images [N, channels, *space] to a map [N, C, *space]; in the mode in which it is, left as it is.
        channels: of the images.
        dims: axes of space, 1 to 3.
        output: keys or numbers on the way to the map where the model returns dicts or tuples, between dots: `out`.
    Raises: UserError: the model is none or fails on images, or no output is named where there are several.
    Source: Majurski & Bajcsy 2021 (jres.126.009) derive it for U-Net; this is the general case, by the recursion of
        `equivariance.reach`.

    >>> from torch import nn
    >>> found = halo(nn.Sequential(nn.Conv2d(3, 4, 5, padding=2), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 1, 2, 2)))
    >>> found.exact, found.before, found.after, found.grid
    (True, (2, 2), (2, 2), (2, 2))
    """
    network = Selected(model, output)
    if not isinstance(channels, int) or channels < 1 or dims not in (1, 2, 3):
        raise UserError(f"channels={channels}, dims={dims}: allowed: channels from 1, 1 to 3 axes of space")
    try:
        found = _large(network, channels, dims)
    except Unfollowed as unfollowed:
        return Halo(False, (), (), (), (), (), (), (), 0, unfollowed.reasons)
    grid = found.grid()
    larger = trace(network, tuple(n + g for n, g in zip(found.sides, grid, strict=True)), channels)
    changed = first_change(found, larger)
    geometry = [Axis.of(s, side) for s, side in zip(found.sights, found.sides, strict=True)]
    needs = needed(found)
    before, after = tuple(n[0] for n in needs), tuple(n[1] for n in needs)
    unsettled = [*found.reasons]
    if changed and not unsettled:
        again = first_change(found, trace(network, found.sides, channels))
        how = "changes from call to call" if again else "depends on the size of the image"
        unsettled.append(Reason(changed, f"what it does {how}"))
    statistics = [s.reason for s in found.statistics]
    smallest = _smallest(network, channels, grid, before, after)
    return Halo(
        exact=not unsettled and not statistics,
        before=before,
        after=after,
        grid=grid,
        tile=smallest.sides,
        sides=(1,) * dims if _any_side(network, channels, found, grid) else grid,
        offset=tuple(a.offset for a in geometry),
        scale=tuple(whole(1 / Fraction(a.stride)) for a in geometry),
        memory=smallest.memory,
        reasons=(*unsettled, *statistics),
        two_passes=bool(statistics) and not unsettled and all(s.summable for s in found.statistics),
    )


def _large(network: Selected, channels: int, dims: int) -> Trace:
    """The trace of an image with units that see no edge, whose sides are multiples of the grid.

    Raises: UserError: the network runs on none.
    """
    side, complaint = 0, None
    for tried in SIDES:
        try:
            side, found = tried, trace(network, (tried,) * dims, channels)
            break
        except UserError as error:
            complaint = complaint or error
    else:
        assert complaint is not None
        raise complaint
    step = lcm(*found.grid())
    while side <= LARGEST:
        side = _up(side, step)
        found = trace(network, (side,) * dims, channels)
        if all(s.head + s.tail < s.size // 2 for s in found.sights):
            return found
        side *= 2
    raise UserError(f"every unit of the output sees the edge of an image of {side // 2} pixels")


def _smallest(
    network: Selected, channels: int, grid: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]
) -> Trace:
    """The trace of the smallest tile from which a part on the grid can be kept."""
    sides = tuple(_up(b, g) + g + _up(a, g) for b, a, g in zip(before, after, grid, strict=True))

    def fits(more: int) -> Trace | None:
        try:
            found = trace(network, tuple(n + more * g for n, g in zip(sides, grid, strict=True)), channels)
        except UserError:
            return None
        kept = (s.head + s.tail + g / s.stride <= s.size for s, g in zip(found.sights, grid, strict=True))
        return found if all(kept) else None

    low, high = -1, 0  # too few steps of the grid more, and the next that is tried
    while (best := fits(high)) is None:
        if high * max(grid) > LARGEST:
            raise UserError(f"the model fails on tiles of {list(sides)} pixels")
        low, high = high, 2 * high + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = fits(middle)
        low, high, best = (low, middle, found) if found else (middle, high, best)
    return best


def _any_side(network: Selected, channels: int, found: Trace, grid: tuple[int, ...]) -> bool:
    """Whether it does the same on images whose sides are no multiples of the grid, for three remainders of them."""
    for rest in {1, max(grid) // 2, max(grid) - 1} - {0}:
        more = (rest % g for g in grid)
        try:
            other = trace(network, tuple(n + r for n, r in zip(found.sides, more, strict=True)), channels)
        except UserError:
            return False
        if first_change(found, other):
            return False
    return True


def _up(pixels: int, step: int) -> int:
    """The next multiple."""
    return -(-pixels // step) * step


def _by(numbers: tuple[Pixels, ...]) -> str:
    """One number where all axes have the same."""
    return str(numbers[0]) if len(set(numbers)) == 1 else " × ".join(map(str, numbers))
