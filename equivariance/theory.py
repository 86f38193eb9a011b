"""What must come out: receptive fields, certified borders. The oracle the tests use and the proof tables quote.

A unit that sees both the picture and the canvas edge can tell how far apart they are. Where none does, and the two
places differ by a multiple of the total stride, the feature maps of the two classes hold the same values at shifted
places, so their global maximum or mean is equal for *every* weight: accuracy is exactly 50 %.
"""

from __future__ import annotations

from torch import nn

from equivariance.bayes import red_green_ceiling as red_green_ceiling
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.reach import Reach, Sight, reach


def certified(network: nn.Module, task: Quadrant, edgeless: bool = False, channels: int = 3) -> bool:
    """Whether no weights let this network tell the two classes apart.

    Args:
        network: maps images [N, channels, H, W] to the feature map that is pooled globally, or pools it itself.
        task: the geometry of the images.
        edgeless: the network continues every layer by its response to the endless background, so no unit sees an edge.
        channels: of the images.
    Returns: True if provably not; False if some unit sees picture and edge at once, the places differ in phase, or the
        network has an operation whose reach is not known. A pool over all of space inside the network (a gate) must be
        certain too: equal statistics make equal gates.
    Source: Kayhan & van Gemert 2020, section 3.1 (leak below the receptive field), made exact here.
    """
    try:
        found = reach(network, task.side, task.side, channels=channels)
    except UserError:  # an operation whose reach is not known, or too small an image: no proof
        return False
    shift = task.canvas - task.picture
    return all(
        shift % sight.period == 0
        and not sight.copied  # padding at the very end repeats pixels for the pooling
        and all(
            edgeless or _clear(sight, task.corner(label), task.corner(label) + task.picture - 1) for label in (0, 1)
        )
        for sights in found.pooled
        for sight in sights
    )


def _clear(sight: Sight, first: int, last: int) -> bool:
    """Whether every unit that would see pixels first..last of an endless image is there and sees no edge."""
    lowest = -((sight.last - first) // sight.stride)
    highest = (last - sight.first) // sight.stride
    return sight.head <= lowest and highest <= sight.size - 1 - sight.tail


def smallest_certified_border(
    network: nn.Module, task: Quadrant, limit: int = 65_536, edgeless: bool = False, channels: int = 3
) -> int | None:
    """The border from which on the classes are provably indistinguishable.

    Args:
        network: as in `certified`.
        task: the geometry; its own border is ignored.
        limit: borders above it are not tried.
        edgeless: as in `certified`.
        channels: as in `certified`.
    Returns: The smallest border in pixels above which all are certified; None if there is none (places out of phase).
    """

    def at(border: int) -> bool:
        return certified(network, Quadrant(task.picture, task.canvas, border, task.background), edgeless, channels)

    if not at(limit):
        return None
    low, high = -1, limit  # certified at high; not certified at low, or low is -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) else (middle, high)
    # Near the threshold the picture's phase decides, so a certified border can have uncertified ones above it; that
    # pattern repeats with the stride while the distance to the edge grows, so a few strides further all are certified.
    large = task.canvas + 2 * limit  # any that every layer fits on
    found = reach(network, large, large, channels=channels)
    stride = max(sight.period for sights in found.pooled for sight in sights)
    return 1 + max((b for b in range(high, high + 3 * stride) if not at(b)), default=high - 1)


def receptive_field(network: nn.Module, side: int = 4096, channels: int = 3) -> tuple[int, int]:
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
