"""What a control of cost or map makes of a network and its images; their purpose: equivariance/config/controls.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import torch
from torch import nn

from equivariance.canvas.cost import work
from equivariance.config.controls import Control
from equivariance.errors import UserError

# A network without weights of a width (None: its own) under a convolution type, up to its last map.
Made = Callable[[int | None, str], nn.Module]
WIDEST = 2**16  # of the networks that are tried; each is twice as wide as the one before


@dataclass(frozen=True)
class Matched:
    """What a control changes.

    Args:
        width: of the network; None: its own.
        margins: entries of background on both sides of the image, along each axis of space and time; (): none.
        kept: of the last map, those that are pooled, along each axis; None: all of them.
    """

    width: int | None = None
    margins: tuple[int, ...] = ()
    kept: tuple[int, ...] | None = None


def matched(control: Control, made: Made, image: tuple[int, ...], grown: tuple[bool, ...], full: str) -> Matched:
    """What a control makes of a run; without one, nothing.

    Args:
        control: which.
        made: the run's network.
        image: rows and columns of its images; of videos frames, rows and columns.
        grown: along each axis, whether full convolution is full there.
        full: what full convolution is called there, and anything else that it has.
    """
    if control == "margin":
        return Matched(margins=_margins(made, image, grown, sides(made(None, full), image)))
    if control == "crop":
        return Matched(kept=sides(made(None, "same"), image))
    if control == "width":
        return Matched(_width(made, image, _work(made(None, full), image)))
    return Matched()


def sides(network: nn.Module, image: tuple[int, ...]) -> tuple[int, ...]:
    """Entries of a network's last map along each axis, of such an image."""
    with torch.no_grad():
        return tuple(network.eval().to("meta")(_blank(image)).shape[2:])


def _margins(made: Made, image: tuple[int, ...], grown: tuple[bool, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Along each axis the narrowest with which the map is as large as wanted; one axis says nothing of another."""
    same, found = made(None, "same"), []
    for axis, grows in enumerate(grown):

        def enough(margin: int, axis: int = axis) -> bool:
            wider = tuple(side + 2 * margin * (at == axis) for at, side in enumerate(image))
            return sides(same, wider)[axis] >= wanted[axis]

        found.append(next(margin for margin in count() if enough(margin)) if grows else 0)
    return tuple(found)


def _width(made: Made, image: tuple[int, ...], wanted: int) -> int:
    """That of the network whose multiply-adds under same convolution are nearest to those wanted.

    Raises: UserError: what is called the width makes it no wider, or too little.
    """

    def cost(width: int) -> int:
        return _work(made(width, "same"), image)

    low, high = 1, 2
    while cost(high) < wanted:
        low, high = high, 2 * high
        if high > WIDEST:
            raise UserError(
                f"experiment.control=width: at width {low} the network still costs less than full; allowed: a network"
                " that its width makes wider up to its last map"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) < wanted else (low, middle)
    return min((low, high), key=lambda width: abs(cost(width) - wanted))


def _work(network: nn.Module, image: tuple[int, ...]) -> int:
    return work(network.eval(), _blank(image)).multiply_adds


def _blank(image: tuple[int, ...]) -> torch.Tensor:
    return torch.empty(1, 3, *image, device="meta")
