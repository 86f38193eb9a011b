"""Bringing several canvases of one batch to common axes and common windows, for ops that take them together."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivariance.ops import Unknown

from . import axes
from .axes import Axis
from .canvas import Canvas, alike
from .gather import take_cells
from .painting import layout
from .pieces import Box, Ground, Spot, Window

Sight = tuple[Window, Spot, Ground]  # one group on one of the canvases


@dataclass(frozen=True)
class Joint:
    """What some groups show on every canvas over one common box; all these spots show the same."""

    sights: list[Sight]
    box: Box
    spots: tuple[Spot, ...]

    def tensors(self) -> list[Tensor]:
        """One tensor [n, C_i, h, w] per canvas."""
        return [window.over(spot, self.box, ground) for window, spot, ground in self.sights]

    def cat_channels(self) -> Tensor:
        """All of them along channels, [n, ΣC_i, h, w]; without gradients each is written straight to its place."""
        if torch.is_grad_enabled() or len({window.tensor.dtype for window, _, _ in self.sights}) > 1:
            return torch.cat(self.tensors(), 1)
        first = self.sights[0][0].tensor
        channels = [window.tensor.shape[1] for window, _, _ in self.sights]
        size = (len(first), sum(channels), self.box.bottom - self.box.top, self.box.right - self.box.left)
        out = torch.empty(size, dtype=first.dtype, device=first.device, memory_format=layout(first))
        for (window, spot, ground), part in zip(self.sights, out.split(channels, 1), strict=True):
            window.paint(spot, self.box, ground, part)
        return out


def check(canvases: tuple[Canvas, ...]) -> None:
    """Raises where these canvases cannot meet in one op.

    Raises:
        Unknown: canvases of different batches, or maps of which one would be broadcast over the other.
        ValueError: maps of different sizes.
    """
    first = canvases[0]
    for canvas in canvases[1:]:
        if canvas.members != first.members:
            raise Unknown("an op on canvases of different batches")
        if canvas.sides != first.sides:
            if any(1 in pair for pair in zip(canvas.sides, first.sides, strict=True)):
                raise Unknown(None, f"maps of {list(first.sides)} and {list(canvas.sides)}")
            raise ValueError(f"maps of {list(first.sides)} and {list(canvas.sides)} in one op")


def joints(canvases: tuple[Canvas, ...]) -> list[Joint]:
    """Groups that show the same windows and ground in the same relative places stay together."""
    by_canvas = [_sights(canvas) for canvas in canvases]
    sights = [[found[group] for found in by_canvas] for group in range(len(canvases[0].members))]
    boxes = [Box.hull([window.box(spot) for window, spot, _ in group]) for group in sights]

    def key(spot: Spot) -> Any:
        box = boxes[spot.group]
        return [
            (id(window), window.box(there).shift(-box.top, -box.left), ground.key(box))
            for window, there, ground in sights[spot.group]
        ]

    spots = [Spot(group, box.top, box.left) for group, box in enumerate(boxes)]
    return [
        Joint(sights[same[0].group], boxes[same[0].group], tuple(same))
        for _, same in alike(spots, lambda spot: tuple(key(spot)))
    ]


def refined(canvases: tuple[Canvas, ...]) -> tuple[list[Tensor], Axis, Axis]:
    """The grounds on their common axes, [1 or m, C_i, r, c] each, and these axes."""
    grounds = [canvas.ground for canvas in canvases]
    if len(grounds) == 1:
        return [grounds[0].tensor], grounds[0].rows, grounds[0].cols
    rows, from_rows = axes.refine(tuple(ground.rows for ground in grounds))
    cols, from_cols = axes.refine(tuple(ground.cols for ground in grounds))
    return [take_cells(g.tensor, r, c) for g, r, c in zip(grounds, from_rows, from_cols, strict=True)], rows, cols


def _sights(canvas: Canvas) -> dict[int, Sight]:
    return {spot.group: (window, spot, canvas.ground) for window in canvas.windows for spot in window.spots}
