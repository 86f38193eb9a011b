"""The tensor that a network runs on under a convolution type other than `same`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._C import DisableTorchFunctionSubclass

from equivariance.errors import UserError
from equivariance.models.boundary.rules import Pair, Rule, Window, padded

Apply = Callable[[Tensor], Tensor]


@dataclass
class Passage:
    """What all maps of one forward pass share.

    Args:
        rule: the convolution type.
        phases: absolute position in pixels of index 0, by axis and total stride. The first layer that reaches a stride
            sets it and later layers follow, so a projection shortcut samples where its main branch does.
    """

    rule: Rule
    phases: dict[Pair, int] = field(default_factory=lambda: {(0, 1): 0, (1, 1): 0})

    def phase(self, axis: int, here: int, stride: int, wished: int) -> int:
        """Offset of output 0 in input entries, for a layer that goes from total stride `here` to `here * stride`."""
        if stride == 1:
            return 0
        start = self.phases[axis, here]
        absolute = self.phases.setdefault((axis, here * stride), start + here * wished)
        phase, rest = divmod(absolute - start, here)
        if rest:
            raise UserError(f"conv={self.rule.name}: two branches reach stride {here * stride} out of phase")
        return phase


class Bounded(Tensor):
    """A feature map that knows where on its layer's index grid it starts.

    Args:
        content: the map [N, C, H, W]; a plain tensor or a canvas.
        passage: the rule and the phases of this forward pass.
        start: index of its first row and column on the published network's grid; negative where the map has grown.
        total_stride: pixels from one row to the next, and from one column to the next.
        background: [1, C, 1, 1], what an endless background gives at this layer; None but for `unbounded`.
        margins: explicit padding not yet applied: left, right, top, bottom.
    """

    content: Tensor
    passage: Passage
    start: Pair
    total_stride: Pair
    background: Tensor | None
    margins: tuple[int, int, int, int]

    @staticmethod
    def __new__(
        cls: type[Bounded],
        content: Tensor,
        passage: Passage,
        start: Pair = (0, 0),
        total_stride: Pair = (1, 1),
        background: Tensor | None = None,
        margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> Bounded:
        """Wraps without copying; autograd runs through `content`."""
        tracked = torch.is_grad_enabled() and content.requires_grad
        self = Tensor._make_wrapper_subclass(
            cls, content.shape, dtype=content.dtype, device=content.device, requires_grad=tracked
        )
        if tracked:  # gradients belong to the content: a Function that takes the map for a tensor sends them here
            with DisableTorchFunctionSubclass():
                self.register_hook(partial(_refuse_function, rule=passage.rule))
        self.content, self.passage, self.start, self.total_stride = content, passage, start, total_stride
        self.background, self.margins = background, margins
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Looks `func` up among the operations that have a meaning on a bounded map."""
        from equivariance.models.boundary.ops import OPERATIONS, QUESTIONS, refuse

        if func in QUESTIONS:
            with DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        for argument in args:
            unwrap(argument)
        return OPERATIONS.get(func, refuse(func, args))(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached only by an operation that went around the table; it has no meaning here."""
        from equivariance.models.boundary.ops import refuse

        return refuse(func, args)()

    @property
    def rule(self) -> Rule:
        """The convolution type."""
        return self.passage.rule

    def map(self, func: Apply) -> Bounded:
        """The same place with other content, and the background treated alike."""
        background = None if self.background is None else func(self.background)
        return Bounded(func(self.content), self.passage, self.start, self.total_stride, background, self.margins)

    def over(self, start: Pair, end: Pair) -> Tensor:
        """The content between two indices, continued where the map is smaller."""
        (y, x), (height, width) = self.start, self.shape[2:]
        pads = (x - start[1], end[1] - x - width, y - start[0], end[0] - y - height)
        return padded(self.content, self.background, pads, self.rule.outside)

    def slide(self, windows: tuple[Window, Window], outputs: str, apply: Apply, outside: str | None = None) -> Bounded:
        """A sliding operation under this rule.

        Args:
            windows: rows and columns, as published.
            outputs: the rule's for this kind of operation.
            apply: the operation itself, without padding.
            outside: what pads the map, if not what the rule says.
        """
        (top, bottom, row), (left, right, column) = (self._extent(axis, w, outputs) for axis, w in enumerate(windows))
        pads = (left, right, top, bottom)
        content = apply(padded(self.content, self.background, pads, outside or self.rule.outside))
        background = self.background
        if background is not None:  # the operation on an endless constant
            sides = [w.reach + 1 for w in windows]
            background = apply(background.expand(-1, -1, *sides))[:, :, :1, :1]
        total = (self.total_stride[0] * windows[0].stride, self.total_stride[1] * windows[1].stride)
        return Bounded(content, self.passage, (row, column), total, background)

    def _extent(self, axis: int, window: Window, outputs: str) -> tuple[int, int, int]:
        left, right, top, bottom = self.margins
        before, after = ((top, bottom), (left, right))[axis]
        window = replace(window, padding=window.padding + before, trailing=window.trailing + after)
        if outputs == "published":
            window = window.centred()
        wished = window.wished_phase(outputs, self.start[axis])
        phase = self.passage.phase(axis, self.total_stride[axis], window.stride, wished)
        found = window.extent(outputs, self.start[axis], self.shape[2 + axis], phase)
        if self.shape[2 + axis] + found[0] + found[1] <= window.reach:
            raise UserError(f"conv={self.rule.name}: the image is too small for this network")
        return found


def bounded(images: Tensor, rule: Rule, background: tuple[float, ...] | None = None) -> Bounded:
    """Starts a forward pass under a convolution type.

    Args:
        images: [N, C, H, W], a plain tensor or a canvas.
        rule: the convolution type.
        background: float [C], the colour around the images for `unbounded`; None: zero.
    """
    colour = None
    if rule.outside == "background":
        values = background if background is not None else (0.0,) * images.shape[1]
        colour = torch.tensor(values, dtype=images.dtype, device=images.device)[None, :, None, None]
    return Bounded(images, Passage(rule), background=colour)


def aligned(maps: list[Bounded]) -> tuple[list[Tensor], Bounded]:
    """The maps' contents over one extent, and the map whose place the result takes.

    The extent is the union of theirs where maps grow, their intersection where they shrink, and theirs where all are
    equal.

    Raises: UserError: explicit padding is pending, or published extents differ.
    """
    first = maps[0]
    if any(any(m.margins) for m in maps):
        raise UserError(f"conv={first.rule.name}: the network adds or joins maps right after padding them")
    starts = [m.start for m in maps]
    ends = [(m.start[0] + m.shape[2], m.start[1] + m.shape[3]) for m in maps]
    if all(s == starts[0] for s in starts) and all(e == ends[0] for e in ends):
        return [m.content for m in maps], first
    if first.rule.joins == "equal":
        raise UserError(f"conv={first.rule.name}: two branches of the network differ in size; use full or valid")
    outer, inner = (min, max) if first.rule.joins == "union" else (max, min)
    start = (outer(s[0] for s in starts), outer(s[1] for s in starts))
    end = (inner(e[0] for e in ends), inner(e[1] for e in ends))
    if start[0] >= end[0] or start[1] >= end[1]:
        raise UserError(f"conv={first.rule.name}: the image is too small for this network")
    contents = [m.over(start, end) for m in maps]
    return contents, Bounded(contents[0], first.passage, start, first.total_stride, first.background)


def unwrap(value: Any) -> Any:
    """The plain tensor or canvas inside, for anything that is not about place."""
    if not isinstance(value, Bounded):
        return value
    with DisableTorchFunctionSubclass():
        made_by_function = value.grad_fn is not None
    if made_by_function:
        _refuse_function(None, value.rule)
    return value.content


def _refuse_function(_: Tensor | None, rule: Rule) -> NoReturn:
    raise UserError(
        f"conv={rule.name}: the network uses a torch.autograd.Function, which would keep its gradients; use conv=same"
    )
