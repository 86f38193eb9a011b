"""Bayes ceilings: the best accuracy that any translation-invariant network can have on Red-Green.

A convolutional network that does not see the boundary knows an image only by the set of its windows: what each unit of
the last layer sees in its receptive field, at steps of the total stride. Two images with the same set look the same to
it, whatever the weights. So the ceiling follows from counting: for every set of windows, the likelier class is right.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import product

from equivariance.experiments.red_green.images import BOX, GAP, HEIGHTS, JITTER, LEFTS, RIGHTS

# What a window shows of the red and of the green box along one axis: the window's pixels that each covers.
Seen = tuple[frozenset[int], frozenset[int]]


@lru_cache(None)
def red_green_ceiling(field: int = 17, stride: int = 8, period: int | None = None) -> float:
    """The highest accuracy on the whole population of Red-Green images.

    Args:
        field: receptive field of the last layer's units, in pixels.
        stride: their total stride, in pixels.
        period: pixels after which the image repeats, for circular convolution; None for an endless background.
    Returns: A share in [0.5, 1].
    Source: Kayhan & van Gemert 2020, section 3.2, made exact here: 0.8724 for full, 0.6703 for circular convolution.
    """
    chances: dict[frozenset, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for label, height in enumerate(HEIGHTS):
        rows = [height + j for j in JITTER]
        vertical = [_windows(*_by_colour(label, y1, y2), field, stride, period) for y1, y2 in product(rows, rows)]
        for x1 in LEFTS:
            rights = range(x1 + GAP, RIGHTS.stop)
            chance = 1 / (len(LEFTS) * len(rights) * len(vertical))
            for x2 in rights:
                horizontal = _windows(*_by_colour(label, x1, x2), field, stride, period)
                for windows in vertical:
                    chances[_seen(horizontal, windows)][label] += chance
    return sum(max(both) for both in chances.values()) / 2


def _by_colour(label: int, left: int, right: int) -> tuple[int, int]:
    """Positions of the red and of the green box."""
    return (left, right) if label == 0 else (right, left)


@lru_cache(None)
def _windows(red: int, green: int, field: int, stride: int, period: int | None) -> frozenset[Seen]:
    """What the windows along one axis show of two boxes that start at `red` and `green`."""
    first = -(-(min(red, green) - field + 1) // stride) * stride
    starts = range(0, period, stride) if period else range(first, max(red, green) + BOX, stride)
    return frozenset((_covered(red - start, field, period), _covered(green - start, field, period)) for start in starts)


def _covered(box: int, field: int, period: int | None) -> frozenset[int]:
    pixels = (p % period if period else p for p in range(box, box + BOX))
    return frozenset(p for p in pixels if 0 <= p < field)


def _seen(horizontal: frozenset[Seen], vertical: frozenset[Seen]) -> frozenset:
    """The set of windows of an image; a box that a window does not touch leaves no trace in it."""
    windows = set()
    for (red_x, green_x), (red_y, green_y) in product(horizontal, vertical):
        red = (red_x, red_y) if red_x and red_y else None
        green = (green_x, green_y) if green_x and green_y else None
        windows.add((red, green))
    return frozenset(windows - {(None, None)})
