"""What each description means on a bounded map, but for sliding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.boundary.bounded import Bounded
from equivariance.boundary.place import Place
from equivariance.errors import UserError
from equivariance.ops import Crop, Normalise, Pad, Pixelwise, Pool, Unknown, Unroll, Upsample


@Bounded.means(Pixelwise)
def pixelwise(op: Pixelwise, *maps: Bounded) -> Any:
    """The maps over one extent; the place stays, and the background is treated alike."""
    if op.varying:
        raise Unknown(None, "with a tensor that differs from pixel to pixel")
    if any(m.place.pending != maps[0].place.pending for m in maps):
        maps = tuple(m.sampled() for m in maps)
    contents, place = _aligned(maps)
    operands = [values for values, _ in op.per_image]
    found = op.apply(*contents, *operands)
    behind = _behind(op, maps, operands)
    results = [
        Bounded(content, form, maps[0].passage, place, None if ground is None else form.close(ground))
        for content, form, ground in zip(found if op.several else (found,), op.outputs, behind, strict=True)
    ]
    if op.several:
        return tuple(results)
    same = results[0].content is maps[0].content and results[0].form == maps[0].form
    return maps[0] if same else results[0]


def _behind(op: Pixelwise, maps: tuple[Bounded, ...], operands: list[Tensor]) -> list[Tensor | None]:
    """The backgrounds of the results, as their layouts say."""
    grounds = [m.form.open(m.background) for m in maps if m.background is not None]
    if not grounds:
        return [None] * len(op.outputs)
    dim, images = maps[0].form.batch, max(m.background.shape[0] for m in maps if m.background is not None)
    shapes = [[images if d == dim else -1 for d in range(g.dim())] for g in grounds]
    found = op.apply(*(g.expand(shape) for g, shape in zip(grounds, shapes, strict=True)), *operands)
    return list(found) if op.several else [found]


def _own(input: Bounded, content: Tensor) -> Bounded:
    """What the published network itself makes of a map: another map, from its own first entry on."""
    place = replace(input.place, start=(0,) * len(input.start))
    return Bounded(content, input.form, input.passage, place, None)


def _aligned(maps: tuple[Bounded, ...]) -> tuple[list[Tensor], Place]:
    """The maps' contents over one extent, and where that lies.

    The extent is the union of theirs where maps grow, their intersection where they shrink, and theirs where all are
    equal.

    Raises: Unknown: explicit padding is pending, strides or published extents differ.
    """
    first, conv = maps[0], maps[0].rule.name
    if len(maps) == 1:
        return [first.content], first.place
    if any(any(pair) for m in maps for pair in m.place.margins):
        raise Unknown(None, "of maps right after padding them")
    if any(m.total_stride != first.total_stride for m in maps):
        raise Unknown(None, "of two branches at different strides")
    if all(m.start == first.start and m.end == first.end for m in maps):
        return [m.content for m in maps], first.place
    if first.rule.joins == "equal" or any(m.lengths[a] != first.lengths[a] for m in maps for a in first.passage.still):
        raise Unknown(None, "of two branches that differ in size; full and valid know them")
    outer, inner = (min, max) if first.rule.joins == "union" else (max, min)
    start = tuple(outer(each) for each in zip(*(m.start for m in maps), strict=True))
    end = tuple(inner(each) for each in zip(*(m.end for m in maps), strict=True))
    if any(a >= b for a, b in zip(start, end, strict=True)):
        raise UserError(f"conv={conv}: the image is too small for this network")
    return [m.over(start, end) for m in maps], replace(first.place, start=start)


@Bounded.means(Pad)
def pad(op: Pad, input: Bounded) -> Bounded:
    """Explicit padding counts as the next layer's own: zeros, or what no maximum takes before a max pooling.

    So does a negative one, which moves the next layer's grid; what it would crop is seen there as what lies outside is.
    """
    input = input.sampled()
    if input.rule.outputs == "own":
        plain = [n for pair in reversed(op.sides) for n in pair]
        padded = F.pad(input.form.close(input.content), plain, mode=op.mode, value=op.value or None)
        return _own(input, input.form.open(padded))
    lowest = op.value == -torch.inf
    if op.mode != "constant" or (op.value and not lowest):
        raise Unknown(f"padding by {op.mode} {op.value or ''}".rstrip(), "only zeros are known there")
    if any(any(pair) for pair in input.place.margins) and input.place.lowest != lowest:
        raise Unknown("padding by two values")
    margins = tuple((a + c, b + d) for (a, b), (c, d) in zip(input.place.margins, op.sides, strict=True))
    place = Place(input.start, input.total_stride, margins, lowest)
    return Bounded(input.content, input.form, input.passage, place, input.background)


@Bounded.means(Crop)
def crop(op: Crop, input: Bounded) -> Bounded:
    """Crops at the end of an axis, as published shortcuts make them.

    Every so many entries from the first on is what a strided layer of one tap sees, so it samples as one.
    """
    input = input.sampled()
    every = all(part[:2] == (0, side) for part, side in zip(op.parts, input.sides, strict=True))
    if every and not input.passage.sampling.strided:
        place = replace(input.place, pending=tuple(step for *_, step in op.parts))
        return Bounded(input.content, input.form, input.passage, place, input.background)
    if input.rule.outputs == "own" and all(step == 1 for _, _, step in op.parts):
        kept = {d: slice(first, end) for d, (first, end, _) in zip(input.form.space, op.parts, strict=True)}
        return _own(input, input.content[tuple(kept.get(d, slice(None)) for d in range(input.form.ndim))])
    if any(first or step != 1 for first, _, step in op.parts):
        raise Unknown("a slice that crops at the top or left, or leaves pixels out")
    if any(end == 1 < side for (_, end, _), side in zip(op.parts, input.sides, strict=True)):
        raise Unknown("a slice of one row or column", "which a sum would take for all of them")
    cut = any(end < side for (_, end, _), side in zip(op.parts, input.sides, strict=True))
    if cut and (input.rule.outputs == "touching" or input.passage.still):
        raise Unknown("a slice that crops the map", "which then loses what it grew by")
    ends = dict(zip(input.form.space, (end for _, end, _ in op.parts), strict=True))
    content = input.content[tuple(slice(0, ends.get(d)) for d in range(input.form.ndim))]
    return Bounded(content, input.form, input.passage, input.place, input.background)


@Bounded.means(Upsample)
def upsample(op: Upsample, input: Bounded) -> Bounded:
    """Each entry repeated; the finer grid is that of the layers that had this stride before."""
    input = input.sampled()
    _no_margins(input)
    if input.passage.still:
        raise Unknown(None, "beside an axis that stays as published")
    if input.passage.chosen:
        raise Unknown(None, "where each image was sampled at a phase of its own")
    start, strides = [], []
    for axis, factor in enumerate(op.factors):
        coarse = input.total_stride[axis]
        fine, rest = divmod(coarse, factor)
        if rest or (fine != 1 and (axis, fine) not in input.passage.phases):
            raise Unknown(None, f"to a stride of {coarse}/{factor}, which no layer before has")
        offset, rest = divmod(input.passage.at(axis, coarse) - input.passage.at(axis, fine), fine)
        if rest:
            raise Unknown(None, f"to a map out of phase with its stride of {fine}")
        start.append(input.start[axis] * factor + offset)
        strides.append(fine)
    content = F.interpolate(input.content, scale_factor=tuple(float(f) for f in op.factors))
    return input.like(content, input.background, start=tuple(start), total_stride=tuple(strides))


@Bounded.means(Normalise)
def batch_norm(op: Normalise, input: Bounded) -> Bounded:
    """Batch normalisation by the statistics of the map as it is.

    For `unbounded` they are over the map and one ring of background, whose normalised value is the background's: the
    same population wherever the picture lies.
    """
    if input.background is None:
        return input.like(op.apply(input.content), None)
    ring = [0 if axis in input.passage.still else 1 for axis in range(len(input.form.space))]
    start = tuple(a - n for a, n in zip(input.start, ring, strict=True))
    ringed = op.apply(input.over(start, tuple(b + n for b, n in zip(input.end, ring, strict=True))))
    corner = ringed[input.free(slice(0, 1))]
    corner = corner.dense() if hasattr(corner, "dense") else corner
    inner = ringed[input.free(slice(1, -1))]
    return input.like(inner, corner[: len(input.background)])


@Bounded.means(Pool)
def pool(op: Pool, input: Bounded) -> Tensor:
    """A statistic of the map as it is; ends it. Bins know their place, so there may be one alone."""
    input = input.sampled()
    _no_margins(input)
    if input.rule.outputs != "own" and any(count != 1 for count in op.bins):
        raise Unknown(None, "its bins know where they lie; pool over the whole map")
    return op.apply(input.content)


@Bounded.means(Unroll)
def unroll(op: Unroll, input: Bounded) -> Tensor:
    """The pixels in their order, as the published network has them; they know where they lie."""
    if input.rule.outputs != "own":
        raise Unknown(None)
    return op.apply(input.sampled().content)


def _no_margins(input: Bounded) -> None:
    if any(any(pair) for pair in input.place.margins):
        raise Unknown(None, "of maps right after padding them")
