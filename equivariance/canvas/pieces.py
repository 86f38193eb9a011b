"""What a canvas is made of: the ground that all images share, and the windows that differ from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import axes
from .axes import Axis
from .gather import take_cells
from .painting import blank, paint


class Box(NamedTuple):
    """Full positions [top, bottom) × [left, right); may reach beyond the canvas."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def hull(cls, boxes: "list[Box]") -> "Box":
        """The smallest box around all of them."""
        top, bottom, left, right = zip(*boxes, strict=True)
        return cls(min(top), max(bottom), min(left), max(right))

    def shift(self, y: int, x: int) -> "Box":
        """The box moved by (y, x)."""
        return Box(self.top + y, self.bottom + y, self.left + x, self.right + x)

    def meet(self, other: "Box") -> "Box":
        """The part that lies in both; empty where bottom <= top or right <= left."""
        return Box(
            max(self.top, other.top),
            min(self.bottom, other.bottom),
            max(self.left, other.left),
            min(self.right, other.right),
        )


class Spot(NamedTuple):
    """Where one group of images has its window: the group's number and the window's top left cell."""

    group: int
    y: int
    x: int


Each = tuple[tuple[int, int], ...] | None  # for each group, where its images begin and end


@dataclass(frozen=True)
class Ground:
    """The activation of the empty canvas, [1, C, r, c], whose row i stands for rows[i] equal rows; cols likewise.

    After a gate that differs from image to image each has a ground of its own, [m, C, r, c]: the images of group g are
    those from each[g][0] to each[g][1]. Groups that share a window share that, too.
    """

    tensor: Tensor
    rows: Axis
    cols: Axis
    each: Each = None

    @property
    def box(self) -> Box:
        """The whole canvas."""
        return Box(0, sum(self.rows), 0, sum(self.cols))

    def seen_by(self, group: int) -> Tensor:
        """What a group's images have, [1, C, r, c] or [n, C, r, c]."""
        return self.tensor if self.each is None else self.tensor[slice(*self.each[group])]

    def over(self, box: Box, group: int, fill: float = 0.0) -> Tensor:
        """The empty canvas of a group over a box, [1 or n, C, h, w], with `fill` beyond its edges."""
        rows = axes.labels(self.rows, box.top, box.bottom)
        return take_cells(self.seen_by(group), rows, axes.labels(self.cols, box.left, box.right), fill)

    def key(self, box: Box) -> tuple[bytes, bytes]:
        """Equal keys: the empty canvas looks the same over both boxes."""
        return axes.label_key(self.rows, box.top, box.bottom), axes.label_key(self.cols, box.left, box.right)

    def hidden(self, box: Box) -> Any:
        """How many cells of the canvas each ground cell stands for inside the box, integers [r, c]."""
        rows, cols = axes.cover(self.rows, box.top, box.bottom), axes.cover(self.cols, box.left, box.right)
        return rows[:, None] * cols

    def total(self) -> Any:
        """How many cells of the canvas each ground cell stands for, integers [r, c]."""
        return self.hidden(self.box)

    def map(self, f: Callable[[Tensor], Tensor]) -> "Ground":
        """The ground after a pointwise function."""
        return Ground(f(self.tensor), self.rows, self.cols, self.each)


@dataclass(frozen=True)
class Window:
    """True activations [n, C, h, w] of one or several groups of n images; one tensor while all of them are equal."""

    tensor: Tensor
    spots: tuple[Spot, ...]

    def box(self, spot: Spot) -> Box:
        """Where the window lies for one of its spots."""
        height, width = self.tensor.shape[2:]
        return Box(spot.y, spot.y + height, spot.x, spot.x + width)

    def paint(self, spot: Spot, box: Box, ground: Ground, out: Tensor, fill: float = 0.0) -> Tensor:
        """Writes the activations over a box that meets the window into [n, C, h, w]; for use without gradients."""
        hole = self.box(spot).meet(box).shift(-box.top, -box.left)
        out[:, :, hole.top : hole.bottom, hole.left : hole.right] = self._part(spot, box)
        rows = axes.labels(ground.rows, box.top, box.bottom)
        cols = axes.labels(ground.cols, box.left, box.right)
        around = ground.seen_by(spot.group)
        for tall, wide in strips(hole, out.shape[2], out.shape[3]):
            paint(out[:, :, tall, wide], around, rows[tall], cols[wide], fill)
        return out

    def over(self, spot: Spot, box: Box, ground: Ground, fill: float = 0.0) -> Tensor:
        """The activations over any box, [n, C, h, w]: window, ground around it, `fill` beyond the canvas."""
        seen = self.box(spot).meet(box)
        if seen.bottom <= seen.top or seen.right <= seen.left:
            return ground.over(box, spot.group, fill).expand(self.tensor.shape[0], -1, -1, -1)
        part = self._part(spot, box)
        if seen == box:
            return part
        if not torch.is_grad_enabled():
            return self.paint(spot, box, ground, blank(part, (box.bottom - box.top, box.right - box.left)), fill)
        return Embed.apply(part, ground.over(box, spot.group, fill), seen.top - box.top, seen.left - box.left)

    def _part(self, spot: Spot, box: Box) -> Tensor:
        """The part of the window that lies in a box."""
        mine = self.box(spot)
        if mine.meet(box) == mine:
            return self.tensor
        inner = mine.meet(box).shift(-spot.y, -spot.x)
        return self.tensor[:, :, inner.top : inner.bottom, inner.left : inner.right]


Strip = tuple[slice, slice]


class Embed(torch.autograd.Function):
    """A batch of windows [n, C, h, w], each inside its surroundings, or all inside the same, at (top, left)."""

    @staticmethod
    def forward(ctx: Any, window: Tensor, around: Tensor, top: int, left: int) -> Tensor:
        """Returns [n, C, H, W] in the memory format of the window."""
        height, width = window.shape[2:]
        ctx.hole, ctx.alone = Box(top, top + height, left, left + width), around.shape[0] == window.shape[0]
        return write(blank(window, around.shape[2:]), window, around, ctx.hole)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """The window's share is a view; surroundings that all share collect theirs over the batch."""
        hole: Box = ctx.hole
        for_window = grad[:, :, hole.top : hole.bottom, hole.left : hole.right] if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return for_window, None, None, None
        for_around = grad.new_zeros((len(grad) if ctx.alone else 1, *grad.shape[1:]))
        for rows, cols in strips(hole, grad.shape[2], grad.shape[3]):
            part = grad[:, :, rows, cols]
            for_around[:, :, rows, cols] = part if ctx.alone else part.sum(0, keepdim=True)
        return for_window, for_around, None, None


def write(out: Tensor, window: Tensor, around: Tensor, hole: Box) -> Tensor:
    """Fills out [n, C, H, W] with the window in the hole and the surroundings [1 or n, C, H, W] elsewhere."""
    out[:, :, hole.top : hole.bottom, hole.left : hole.right] = window
    for rows, cols in strips(hole, out.shape[2], out.shape[3]):
        out[:, :, rows, cols] = around[:, :, rows, cols]
    return out


def strips(hole: Box, height: int, width: int) -> list[Strip]:
    """The four rectangles of a height × width map around a hole, without the empty ones."""
    middle = slice(hole.top, hole.bottom)
    around = [
        (slice(0, hole.top), slice(0, width)),
        (slice(hole.bottom, height), slice(0, width)),
        (middle, slice(0, hole.left)),
        (middle, slice(hole.right, width)),
    ]
    return [(rows, cols) for rows, cols in around if rows.stop > rows.start and cols.stop > cols.start]
