"""What must come out: receptive fields, certified borders. The oracle the tests use and the proof tables quote.

A unit that sees both the picture and the canvas edge can tell how far apart they are. Where none does, and the two
places differ by a multiple of the total stride, the feature maps of the two classes hold the same values at shifted
places, so their global maximum or mean is equal for *every* weight: accuracy is exactly 50 %.

Where no unit sees an edge and each image is sampled at the phase that its content decides (`polyphase`), the places may
differ by any whole number of pixels. Left out are contents of which two phases tie in all that decides between them and
yet differ; no generic weights and pictures do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.reach import Pixels, Pools, Reach, Sight, Unseen, reach

# Borders, the lowest ones and those below the limit, that are tried for one with which a network runs.
TRIED = 64


def certified(
    network: nn.Module, task: Quadrant, edgeless: bool = False, channels: int = 3, phaseless: bool = False
) -> bool:
    """Whether no weights let this network tell the two classes apart.

    Args:
        network: maps images [N, channels, H, W] to the feature map that is pooled globally, or pools it itself.
        task: the geometry of the images.
        edgeless: the network continues every layer by its response to the endless background, so no unit sees an edge.
        channels: of the images.
        phaseless: each strided layer samples each image at a phase that its content decides (`polyphase`), so that the
            pooled maps are the same for all phases; of a network without an edge, which would decide, too.
    Returns: True if provably not; False if some unit sees picture and edge at once, the places differ in phase, or the
        network has an operation whose reach is not known. A pool over all of space inside the network (a gate) must be
        certain too: equal statistics make equal gates.
    Source: Kayhan & van Gemert 2020, section 3.1 (leak below the receptive field), made exact here.
    """
    return _proven(_pooled(network, task.side, channels), task, edgeless, phaseless)


def certified_in_time(
    network: nn.Module, event: Quadrant, side: int, edgeless: bool = False, channels: int = 3
) -> bool:
    """Whether no weights let this network tell an event early in blank time from the same event late in it.

    Nothing is asked of rows and columns, which are the same in both videos.

    Args:
        network: maps videos [N, channels, T, H, W] to the feature map that is pooled globally.
        event: the geometry along time, in frames: `picture` of the event, `canvas` and `border` of blank time.
        side: pixels a side of the video.
        edgeless: the network continues every layer, along time too, by its response to endless blank time.
        channels: of the video.
    Returns: as `certified`.
    """
    try:
        found = reach(network, event.side, side, side, channels=channels).pooled
    except UserError:
        return False
    return _proven(frozenset((sights[0],) for sights in found), event, edgeless, False)


def _pooled(network: nn.Module, side: int, channels: int) -> Pools | None:
    """The maps that a global pool tells; None where an operation's reach is not known, or the image is too small."""
    found = _asked(network, side, channels)
    return None if isinstance(found, UserError) else found


def _asked(network: nn.Module, side: int, channels: int) -> Pools | UserError:
    try:
        return reach(network, side, side, channels=channels).pooled
    except UserError as error:
        return error


def _proven(pooled: Pools | None, task: Quadrant, edgeless: bool, phaseless: bool) -> bool:
    """Whether no unit of the pooled maps sees picture and edge at once, and the places differ by whole periods."""
    shift = task.canvas - task.picture
    return pooled is not None and all(
        ((edgeless and phaseless) or shift % sight.period == 0)
        and not sight.copied  # padding at the very end repeats pixels for the pooling
        and all(
            edgeless or _clear(sight, task.corner(label), task.corner(label) + task.picture - 1) for label in (0, 1)
        )
        for sights in pooled
        for sight in sights
    )


def _clear(sight: Sight, first: int, last: int) -> bool:
    """Whether every unit that would see pixels first..last of an endless image is there and sees no edge."""
    lowest = -((sight.last - first) // sight.stride)
    highest = (last - sight.first) // sight.stride
    return sight.head <= lowest and highest <= sight.size - 1 - sight.tail


def smallest_certified_border(
    network: nn.Module,
    task: Quadrant,
    limit: int = 65_536,
    edgeless: bool = False,
    channels: int = 3,
    phaseless: bool = False,
) -> int | None:
    """The border from which on the classes are provably indistinguishable.

    Args:
        network: as in `certified`.
        task: the geometry; its own border is ignored.
        limit: borders above it are not tried.
        edgeless: as in `certified`.
        channels: as in `certified`.
        phaseless: as in `certified`.
    Not for: networks that are built otherwise on images of other sizes, of which not every border is tried.
    Returns: The smallest border in pixels above which all are certified, of those with which the network runs; None if
        there is none (places out of phase, or a network that runs on no such image).
    """

    def placed(border: int) -> Quadrant:
        return Quadrant(task.picture, task.canvas, border, task.background)

    def pooled_at(border: int) -> Pools | None:
        return _pooled(network, placed(border).side, channels)

    def proven(found: Pools | None, border: int) -> bool:
        return _proven(found, placed(border), edgeless, phaseless)

    # First on small images: for the largest a network may make tensors of its own that no memory holds.
    if all(isinstance(_asked(network, placed(b).side, channels), Unseen) for b in range(TRIED)):
        return None
    # Some networks run on multiples of their stride alone; a period further they run again.
    top, largest = next(((b, p) for b in range(limit, max(limit - TRIED, -1), -1) if (p := pooled_at(b))), (0, None))
    if largest is None or not proven(largest, top):
        return None
    period = max(sight.period for sights in largest for sight in sights)
    high = _threshold(
        lambda border: proven(pooled_at(border), border),
        lambda border: proven(_grown(largest, 2 * (border - top)), border),
        range(top % period, top + 1, period),
    )
    # Near the threshold the picture's phase decides, so a certified border can have uncertified ones above it; that
    # pattern repeats with the stride while the distance to the edge grows, so a few strides further all are certified.
    least = max(0, high - period + 1)
    sides = {placed(border).side: border for border in range(least, high + 3 * period)}
    pooled = _pooled_on(network, list(sides), period, channels)
    runs = ((b, pooled[side]) for side, b in sides.items() if pooled[side] is not None)
    return 1 + max((b for b, found in runs if not proven(found, b)), default=least - 1)


def _threshold(certain: Callable[[int], bool], expected: Callable[[int], bool], borders: range) -> int:
    """A border that is certified, as the last of `borders` is, and whose predecessor, if there is one, is not.

    Args:
        certain: asks the network.
        expected: the same at no cost, where every map grows with the image; where one does not, it may be wrong.
        borders: a period apart.
    """
    likely = _bisected(expected, borders)
    asked = (likely == borders[0] or not certain(likely - borders.step)) and certain(likely)
    return likely if asked else _bisected(certain, borders)


def _bisected(certain: Callable[[int], bool], borders: range) -> int:
    low, high = -1, len(borders) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certain(borders[middle]) else (middle, high)
    return borders[high]


def _pooled_on(network: nn.Module, sides: list[int], period: int, channels: int) -> dict[int, Pools | None]:
    """`_pooled` on images of each side; only the ends are computed where what lies between them follows.

    On images that are a whole number of periods larger every map has as many more units, and is otherwise the same.
    Where that holds from the smallest to the largest of such sides, it holds for those between.
    """
    found: dict[int, Pools | None] = {}
    for phase in {side % period for side in sides}:
        alike = [side for side in sides if side % period == phase]
        first, last = (_pooled(network, side, channels) for side in (alike[0], alike[-1]))
        follows = first is not None and last == _grown(first, alike[-1] - alike[0])
        for side in alike[1:-1]:
            found[side] = _grown(first, side - alike[0]) if follows and first else _pooled(network, side, channels)
        found |= {alike[0]: first, alike[-1]: last}
    return found


def _grown(pooled: Pools, pixels: int) -> Pools:
    return frozenset(tuple(replace(s, size=s.size + int(pixels // s.stride)) for s in sights) for sights in pooled)


def receptive_field(network: nn.Module, side: int = 4096, channels: int = 3) -> tuple[int, Pixels]:
    """Receptive field and total stride of a network's last feature map, in pixels.

    Args:
        network: maps images to a feature map, or pools it globally.
        side: pixels a side of the image it is computed on; any size the network accepts gives the same.
        channels: of the images.
    Raises: UserError: an operation whose reach is not known.
    """
    found = reach(network, side, side, channels=channels)
    last = found.sights if isinstance(found, Reach) else max(found.pooled, key=lambda sights: sights[0].field)
    return last[0].field, last[0].stride
