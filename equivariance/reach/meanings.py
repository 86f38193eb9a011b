"""What the units of a map see after each description."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch

from equivariance.ops import (
    Crop,
    Kernel,
    Layout,
    Normalise,
    Pad,
    Pixelwise,
    Pool,
    Resample,
    Slide,
    Spread,
    Unknown,
    Upsample,
)
from equivariance.reach.reach import Reach
from equivariance.reach.resampling import Places
from equivariance.reach.sight import Sight
from equivariance.reach.summary import Summary


@Reach.means(Pixelwise)
def pixelwise(op: Pixelwise, *maps: Reach) -> Any:
    """A unit sees what the units at its place saw."""
    if op.varying:
        raise Unknown("a tensor that differs from pixel to pixel")
    sights = maps[0].sights
    for other in maps[1:]:
        sights = tuple(a.joined(b) for a, b in zip(sights, other.sights, strict=True))
    pools = reduce(frozenset.union, (m.pools for m in maps))
    found = tuple(Reach(form, sights, pools, maps[0]) for form in op.outputs)
    return found if op.several else found[0]


@Reach.means(Slide)
def slide(op: Slide, input: Reach) -> Reach:
    """A unit sees what the units under its kernel saw."""
    sights = tuple(sight.slide(kernel) for sight, kernel in zip(input.sights, op.kernels, strict=True))
    return Reach(Layout.plain(op.channels, len(sights)), sights, input.pools, input)


@Reach.means(Pad)
def pad(op: Pad, input: Reach) -> Reach:
    """Units beyond the edge see the edge."""
    sights = (sight.padded(*pair, op.mode) for sight, pair in zip(input.sights, op.sides, strict=True))
    return Reach(input.form, tuple(sights), input.pools, input)


@Reach.means(Crop)
def crop(op: Crop, input: Reach) -> Reach:
    """Units go; a step is a stride."""
    sights = (_cropped(sight, *part) for sight, part in zip(input.sights, op.parts, strict=True))
    return Reach(input.form, tuple(sights), input.pools, input)


def _cropped(sight: Sight, first: int, end: int, step: int) -> Sight:
    cut = sight.padded(-first, end - sight.size) if (first, end) != (0, sight.size) else sight
    return cut.slide(Kernel(1, step)) if step > 1 else cut


@Reach.means(Upsample)
def upsample(op: Upsample, input: Reach) -> Reach:
    """Each unit several times."""
    sights = (sight.upsampled(factor) for sight, factor in zip(input.sights, op.factors, strict=True))
    return Reach(input.form, tuple(sights), input.pools, input)


@Reach.means(Spread)
def spread(op: Spread, input: Reach) -> Reach:
    """A unit sees what the units saw that are spread over it."""
    sights = tuple(sight.spread(kernel) for sight, kernel in zip(input.sights, op.kernels, strict=True))
    return Reach(Layout.plain(op.channels, len(sights)), sights, input.pools, input)


@Reach.means(Resample)
def resample(op: Resample, input: Reach) -> Reach:
    """A unit sees what the units around its place saw."""
    axes = zip(op.sizes, op.steps, op.starts, strict=True)
    sights = (s.resampled(Places(*axis, op.mode)) for s, axis in zip(input.sights, axes, strict=True))
    return Reach(input.form, tuple(sights), input.pools, input)


@Reach.means(Normalise)
def batch_norm(op: Normalise, input: Reach) -> Reach:
    """The statistics are those of the whole batch: they tell no image from another."""
    return Reach(input.form, input.sights, input.pools, input)


@Reach.means(Pool)
def pool(op: Pool, input: Reach) -> Summary:
    """Numbers that depend on all units, in whatever order; those of bins would know their place."""
    if any(count != 1 for count in op.bins):
        raise Unknown(None, "its bins know where they lie")
    form = input.form
    shape = form.shape(1, (1,) * len(form.space))
    kept = shape if op.keep else tuple(n for d, n in enumerate(shape) if d not in form.space)
    return Summary(torch.empty(kept, dtype=input.dtype, device="meta"), input.pools | {input.sights})
