"""Axes of space that a convolution type leaves as published, time for one: padded with numbers, as the network pads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.boundary.rules import Sides, amounts
from equivariance.ops import Layout

Layers = list[tuple[Sides, float]]  # from the map outwards: before and after each axis, and what lies there


def layers(still: Sequence[int], sides: Sides, margins: Sides, lowest: bool, beyond: float) -> Layers:
    """What lies beyond the map along the still axes.

    Args:
        still: numbers of these axes.
        sides: all padding before and after each axis of space.
        margins: how much of it is explicit padding, by the network's own call.
        lowest: whether that is of what no maximum takes, instead of zeros.
        beyond: with what the layer itself pads.
    """
    nothing = (0, 0)
    explicit = [pair if axis in still else nothing for axis, pair in enumerate(margins)]
    both = zip(sides, margins, strict=True)
    own = [(b - c, a - d) if axis in still else nothing for axis, ((b, a), (c, d)) in enumerate(both)]
    return [(explicit, -torch.inf if lowest else 0.0), (own, beyond)]


def filled(content: Tensor, form: Layout, around: Layers) -> Tensor:
    """A map that lies as `form` says, with numbers beyond its edges."""
    for sides, value in around:
        if any(any(pair) for pair in sides):
            content = F.pad(content, amounts(form, sides), value=value)
    return content
