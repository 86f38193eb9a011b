"""The tensor that a network runs on under a convolution type other than `same`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from equivariance.boundary.rules import Outputs, Rule, Sides, centred, extent, padded, wished_phase
from equivariance.errors import UserError
from equivariance.ops import Kernel, Layout, Map, calling_module

Apply = Callable[[Tensor], Tensor]
Index = tuple[int, ...]  # one number for each axis of space


@dataclass
class Passage:
    """What all maps of one forward pass share.

    Args:
        rule: the convolution type.
        phases: absolute position in pixels of index 0, by axis and total stride. The first layer that reaches a stride
            sets it and later layers follow, so a projection shortcut samples where its main branch does.
    """

    rule: Rule
    phases: dict[tuple[int, int], int] = field(default_factory=dict)

    def at(self, axis: int, stride: int) -> int:
        """Absolute position of index 0 at a stride that a layer has reached."""
        return self.phases.setdefault((axis, 1), 0) if stride == 1 else self.phases[axis, stride]

    def phase(self, axis: int, here: int, stride: int, wished: int) -> int:
        """Offset of output 0 in input entries, for a layer that goes from total stride `here` to `here * stride`."""
        if stride == 1:
            return 0
        start = self.at(axis, here)
        absolute = self.phases.setdefault((axis, here * stride), start + here * wished)
        phase, rest = divmod(absolute - start, here)
        if rest:
            raise UserError(f"conv={self.rule.name}: two branches reach stride {here * stride} out of phase")
        return phase


@dataclass(frozen=True)
class Place:
    """Where a map lies.

    Args:
        start: index of its first entry along each axis on the published network's grid; negative where it has grown.
        total_stride: pixels from one entry to the next, along each axis.
        margins: explicit padding not yet applied, before and after each axis.
        lowest: whether that padding is of what no maximum takes, instead of zeros.
    """

    start: Index
    total_stride: Index
    margins: Sides
    lowest: bool = False


class Bounded(Map):
    """A feature map that knows where on its layer's index grid it starts.

    Args:
        content: the map as `form` says; a plain tensor or another reader's.
        form: how it lies.
        passage: the rule and the phases of this forward pass.
        place: where it lies.
        background: [1 or N, C, 1, ...], what an endless background gives at this layer; None but for `unbounded`.
    """

    content: Tensor
    passage: Passage
    place: Place
    background: Tensor | None

    @staticmethod
    def __new__(
        cls: type[Bounded],
        content: Tensor,
        form: Layout,
        passage: Passage,
        place: Place,
        background: Tensor | None = None,
    ) -> Bounded:
        """Wraps without copying; autograd runs through `content`."""
        self: Bounded = cls.wrap(content.shape, content, [content])
        self.content, self.form, self.passage, self.place = content, form, passage, place
        self.background = background
        self.refusal = partial(_refusal, passage.rule.name)
        self.guard()
        return self

    @property
    def rule(self) -> Rule:
        """The convolution type."""
        return self.passage.rule

    @property
    def start(self) -> Index:
        """Index of the first entry along each axis."""
        return self.place.start

    @property
    def total_stride(self) -> Index:
        """Pixels from one entry to the next along each axis."""
        return self.place.total_stride

    @property
    def end(self) -> Index:
        """Index after the last entry along each axis."""
        return tuple(a + n for a, n in zip(self.start, self.sides, strict=True))

    def parts(self) -> list[Tensor]:
        """The content."""
        return [self.content]

    def asked(self) -> Tensor:
        """The content, which has grown or shrunk after `x += y` where y has."""
        return self.content

    def fits(self, other: Any) -> bool:
        """Whether it is as many images and channels; a sum's extent is the rule's business."""
        one, two = self.form, other.form
        return (one.batch, one.space, one.channels, self.images) == (two.batch, two.space, two.channels, other.images)

    def adopt(self, other: Any) -> None:
        """Takes over another map's content, in its own dtype."""
        self.content = other.content.to(self.content.dtype)
        self.form, self.place, self.background = other.form, other.place, other.background

    def like(self, content: Tensor, background: Tensor | None, **change: Any) -> Bounded:
        """Another plain map of this forward pass; `change` says what of the place is another."""
        form = Layout.plain(content.shape[1], len(self.form.space))
        return Bounded(content, form, self.passage, replace(self.place, **change), background)

    def over(self, start: Index, end: Index) -> Tensor:
        """The content between two indices, continued where the map is smaller."""
        sides = [(a - s, e - b) for a, b, s, e in zip(self.start, self.end, start, end, strict=True)]
        return padded(self.content, self.form, self.background, sides, self.rule.outside)

    def slide(self, kernels: tuple[Kernel, ...], outputs: Outputs, apply: Apply, outside: str | None = None) -> Bounded:
        """A sliding operation under this rule.

        Args:
            kernels: one an axis, as published.
            outputs: the rule's for this kind of operation.
            apply: the operation itself, without padding.
            outside: what pads the map, if not what the rule says.
        """
        found = [self._extent(axis, kernel, outputs) for axis, kernel in enumerate(kernels)]
        sides = [(before, after) for before, after, _ in found]
        content = apply(padded(self.content, self.form, self.background, sides, outside or self.rule.outside))
        background = self.background
        if background is not None:  # the operation on an endless constant
            endless = background.expand(-1, -1, *(kernel.span for kernel in kernels))
            background = apply(endless)[(slice(None), slice(None), *(slice(0, 1),) * len(kernels))]
        place = Place(
            tuple(first for _, _, first in found),
            tuple(s * kernel.stride for s, kernel in zip(self.total_stride, kernels, strict=True)),
            ((0, 0),) * len(kernels),
        )
        form = Layout.plain(content.shape[1], len(kernels))
        return Bounded(content, form, self.passage, place, background)

    def _extent(self, axis: int, kernel: Kernel, outputs: Outputs) -> tuple[int, int, int]:
        before, after = self.place.margins[axis]
        kernel = replace(kernel, before=kernel.before + before, after=kernel.after + after)
        if outputs == "published":
            kernel = centred(kernel)
        start, size = self.start[axis], self.sides[axis]
        wished = wished_phase(kernel, outputs, start)
        phase = self.passage.phase(axis, self.total_stride[axis], kernel.stride, wished)
        found = extent(kernel, outputs, start, size, phase)
        if size + found[0] + found[1] <= kernel.reach:
            raise UserError(f"conv={self.rule.name}: the image is too small for this network")
        return found


def bounded(images: Tensor, rule: Rule, background: tuple[float, ...] | None = None) -> Bounded:
    """Starts a forward pass under a convolution type.

    Args:
        images: [N, C, *space], a plain tensor or another reader's map.
        rule: the convolution type.
        background: float [C], the colour around the images for `unbounded`; None: zero.
    """
    axes, colour = images.dim() - 2, None
    if rule.outside == "background":
        values = background if background is not None else (0.0,) * images.shape[1]
        colour = torch.tensor(values, dtype=images.dtype, device=images.device).reshape(1, -1, *(1,) * axes)
    place = Place((0,) * axes, (1,) * axes, ((0, 0),) * axes)
    return Bounded(images, Layout.plain(images.shape[1], axes), Passage(rule), place, colour)


def unwrap(value: Any) -> Any:
    """The tensor or other reader's map inside, for anything that is not about place.

    Raises: UserError: the map was padded, and no layer took the padding up.
    """
    if not isinstance(value, Bounded):
        return value
    value.refuse_foreign()
    if any(any(pair) for pair in value.place.margins):
        raise value.refusal("padding at its end", "only a layer after it can take it up")
    return value.content


def _refusal(conv: str, what: str, reason: str | None) -> UserError:
    why = f" ({reason})" if reason else ""
    return UserError(
        f"conv={conv}: the network uses {what}{why}, which has no meaning there; use conv=same "
        f"(called in {calling_module()})"
    )
