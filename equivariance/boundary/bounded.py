"""The tensor that a network runs on under a convolution type other than `same`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from equivariance.boundary.place import Index, Passage, Place
from equivariance.boundary.rules import Outputs, Rule, centred, extent, padded, unstrided, wished_phase
from equivariance.boundary.sampling import STRIDED, Sampling
from equivariance.boundary.still import filled, layers
from equivariance.errors import UserError
from equivariance.ops import Kernel, Layout, Map, calling_module

Apply = Callable[[Tensor], Tensor]


class Bounded(Map):
    """A feature map that knows where on its layer's index grid it starts.

    Unless layers sample as published, what a strided convolution gives is held at every entry of the grid before its
    stride, and answers questions of shape as if it were sampled. Pointwise ops go on there; it is sampled for the first
    op that is not pointwise, or that has a map beside it which is sampled already.

    Args:
        content: the map as `form` says; a plain tensor or another reader's.
        form: how it lies.
        passage: the rule and the phases of this forward pass.
        place: where it lies.
        background: [1 or N, C, 1, ...], what an endless background gives at this layer; None but for `unbounded`. Along
            axes that stay as published it has the map's entries.
    """

    content: Tensor
    passage: Passage
    place: Place
    background: Tensor | None
    _sampled: Bounded | None

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
        self.background, self._sampled = background, None
        self.refusal = partial(_refusal, passage.rule)
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
        return tuple(a + n for a, n in zip(self.start, self.lengths, strict=True))

    @property
    def lengths(self) -> Index:
        """Entries along each axis as they are held."""
        return tuple(self.content.shape[dim] for dim in self.form.space)

    def sampled(self) -> Bounded:
        """The map after the stride that it has still to take."""
        if not self.place.pending:
            return self
        if self._sampled is None:
            from equivariance.boundary.downsampling import sample

            self._sampled = sample(self)
        return self._sampled

    def parts(self) -> list[Tensor]:
        """The content."""
        return [self.content]

    def asked(self) -> Tensor:
        """The content, which has grown or shrunk after `x += y` where y has; or what has its shape once sampled."""
        if not self.place.pending:
            return self.content
        from equivariance.boundary.downsampling import sampled_sides

        shape = self.form.shape(self.content.shape[self.form.batch], sampled_sides(self))
        return self.content.new_empty(1).expand(shape)

    def fits(self, other: Any) -> bool:
        """Whether it is as many images and channels; a sum's extent is the rule's business."""
        one, two = self.form, other.form
        return (one.batch, one.space, one.channels, self.images) == (two.batch, two.space, two.channels, other.images)

    def adopt(self, other: Any) -> None:
        """Takes over another map's content, in its own dtype."""
        self.content = other.content.to(self.content.dtype)
        self.form, self.place, self.background = other.form, other.place, other.background
        self._sampled = None

    def like(self, content: Tensor, background: Tensor | None, **change: Any) -> Bounded:
        """Another plain map of this forward pass; `change` says what of the place is another."""
        form = Layout.plain(content.shape[1], len(self.form.space))
        return Bounded(content, form, self.passage, replace(self.place, **change), background)

    def over(self, start: Index, end: Index) -> Tensor:
        """The content between two indices, continued where the map is smaller."""
        sides = [(a - s, e - b) for a, b, s, e in zip(self.start, self.end, start, end, strict=True)]
        return padded(self.content, self.form, self.background, sides, self.rule.outside)

    def slide(
        self,
        kernels: tuple[Kernel, ...],
        outputs: Outputs,
        apply: Apply,
        outside: str | None = None,
        fine: bool = False,
        beyond: float = 0.0,
    ) -> Bounded:
        """A sliding operation under this rule.

        Args:
            kernels: one an axis, as published.
            outputs: the rule's for this kind of operation.
            apply: the operation itself, without padding.
            outside: what pads the map, if not what the rule says.
            fine: whether `apply` gives an output at every entry, and the stride is still to be taken.
            beyond: what pads axes that stay as published.
        """
        found = [self.extent(axis, kernel, outputs, fine) for axis, kernel in enumerate(kernels)]
        still = self.passage.still
        sides = [(0, 0) if axis in still else side[:2] for axis, side in enumerate(found)]
        time = layers(still, [side[:2] for side in found], self.place.margins, self.place.lowest, beyond)
        background = None if self.background is None else filled(self.background, self.form, time)
        # An endless background is as long as the map before time is padded; else what pads time pads the corners.
        whole = self.content if self.background is not None else filled(self.content, self.form, time)
        whole = padded(whole, self.form, self.background, sides, outside or self.rule.outside)
        content = apply(whole if self.background is None else filled(whole, self.form, time))
        if background is not None:  # the operation on an endless constant
            spans = (-1 if axis in still else kernel.span for axis, kernel in enumerate(kernels))
            background = apply(background.expand(-1, -1, *spans))[self.free(slice(0, 1))]
        place = Place(
            tuple(first for _, _, first in found),
            tuple(s * (1 if fine else k.stride) for s, k in zip(self.total_stride, kernels, strict=True)),
            ((0, 0),) * len(kernels),
            pending=tuple(kernel.stride for kernel in kernels) if fine else (),
        )
        form = Layout.plain(content.shape[1], len(kernels))
        return Bounded(content, form, self.passage, place, background)

    def free(self, part: slice) -> tuple[slice, ...]:
        """An index of a plain map: `part` along the axes that the rule is about, all of the others."""
        whole = slice(None)
        axes = range(len(self.form.space))
        return (whole, whole, *(whole if axis in self.passage.still else part for axis in axes))

    def extent(self, axis: int, kernel: Kernel, outputs: Outputs, fine: bool = False) -> tuple[int, int, int]:
        """Padding before and after an axis for a kernel, and the first output's index; arguments as in `slide`."""
        before, after = self.place.margins[axis]
        kernel = replace(kernel, before=kernel.before + before, after=kernel.after + after)
        if axis in self.passage.still:
            return extent(kernel, "own", 0, self.lengths[axis], 0)
        if outputs == "published":
            kernel = centred(kernel)
        start, size = self.start[axis], self.lengths[axis]
        if fine:
            phases = self.passage.sampling.downsample == "polyphase"
            kernel = unstrided(kernel, outputs, size, self.rule.outside == "circular", phases)
        wished = wished_phase(kernel, outputs, start)
        phase = self.passage.phase(axis, self.total_stride[axis], kernel.stride, wished)
        found = extent(kernel, outputs, start, size, phase)
        if size + found[0] + found[1] <= kernel.reach:
            raise UserError(f"conv={self.rule.name}: the image is too small for this network")
        return found


def bounded(
    images: Tensor,
    rule: Rule,
    background: tuple[float, ...] | None = None,
    sampling: Sampling = STRIDED,
    still: tuple[int, ...] = (),
) -> Bounded:
    """Starts a forward pass under a convolution type.

    Args:
        images: [N, C, *space], a plain tensor or another reader's map.
        rule: the convolution type.
        background: float [C], the colour around the images for `unbounded`; None: zero.
        sampling: how strided layers sample.
        still: axes of space that stay as published: 0, time, of videos [N, C, T, H, W].
    Raises: UserError: sampling otherwise than as published beside such axes.
    """
    axes, colour = images.dim() - 2, None
    if still and not sampling.strided:
        raise UserError(f"downsample={sampling.downsample}: allowed with conv.axes=space+time; it samples all axes")
    if rule.outside == "background":
        values = background if background is not None else (0.0,) * images.shape[1]
        colour = torch.tensor(values, dtype=images.dtype, device=images.device).reshape(1, -1, *(1,) * axes)
        colour = colour.expand(-1, -1, *(n if a in still else 1 for a, n in enumerate(images.shape[2:])))
    place = Place((0,) * axes, (1,) * axes, ((0, 0),) * axes)
    return Bounded(images, Layout.plain(images.shape[1], axes), Passage(rule, sampling, still), place, colour)


def unwrap(value: Any) -> Any:
    """The tensor or other reader's map inside, for anything that is not about place.

    Raises: UserError: the map was padded, and no layer took the padding up.
    """
    if not isinstance(value, Bounded):
        return value
    value.refuse_foreign()
    value = value.sampled()
    if any(any(pair) for pair in value.place.margins):
        raise value.refusal("padding at its end", "only a layer after it can take it up")
    return value.content


def _refusal(rule: Rule, what: str, reason: str | None) -> UserError:
    why = f" ({reason})" if reason else ""
    way_out = "downsample=strided" if rule.outputs == "own" else "conv=same"
    return UserError(
        f"conv={rule.name}: the network uses {what}{why}, which has no meaning there; use {way_out} "
        f"(called in {calling_module()})"
    )
