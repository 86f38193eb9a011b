"""Convolution and pooling of a bounded map."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.boundary.bounded import Bounded
from equivariance.boundary.rules import Outputs
from equivariance.ops import Slide, Unknown


@Bounded.means(Slide)
def slide(op: Slide, input: Bounded) -> Bounded:
    """The published padding says where the index grid lies; the rule says what lies outside the map.

    Pools see the map as the rule continues it: an average counts what lies outside. Under `partial` a maximum is of
    what is inside, and sums are scaled by the share inside.

    Unless layers sample as published, a strided one is run at every entry of its grid; a convolution's stride is taken
    after the pointwise ops that follow it, a pool's at once.
    """
    input = input.sampled()
    if op.divisor is not None:
        raise Unknown(None, "with divisor_override")
    outputs = input.rule.outputs if op.kind == "convolution" else input.rule.pools
    if input.passage.sampling.strided or max(kernel.stride for kernel in op.kernels) == 1:
        return slid(op, input, outputs)
    found = slid(replace(op, apply=partial(op.apply, stride=1)), input, outputs, fine=True)
    return found if op.kind == "convolution" else found.sampled()


def slid(op: Slide, input: Bounded, outputs: Outputs, fine: bool = False) -> Bounded:
    """The map after a kernel slid over it.

    Args:
        op: what slides.
        input: the map.
        outputs: which there are.
        fine: whether `op` gives one at every entry, and the stride of its kernels is still to be taken.
    """
    lowest, outside = input.place.lowest and any(any(pair) for pair in input.place.margins), input.rule.outside
    if lowest and op.kind != "max":
        raise Unknown(None, "right after padding by -inf")
    if op.kind == "max" and (outputs == "own" or outside == "ignored"):
        return input.slide(op.kernels, outputs, op.apply, "lowest", fine, beyond=-torch.inf)
    scaled = _skips_padding(op) if outputs == "own" else outside == "ignored"
    if input.passage.still and _skips_padding(op):
        raise Unknown(None, "that does not count its padding, beside an axis that stays as published")
    if not scaled or max(kernel.size for kernel in op.kernels) == 1:
        return input.slide(op.kernels, outputs, op.apply, fine=fine, beyond=-torch.inf if op.kind == "max" else 0.0)
    return _partial(input, op, outputs, fine)


def _skips_padding(op: Slide) -> bool:
    """Whether the network's own average does not count all of what lies outside."""
    if op.kind != "average":
        return False
    ceil, padded = any(k.ceil for k in op.kernels), any(k.before or k.after for k in op.kernels)
    if ceil and padded and op.padding_counts:
        raise Unknown(None, "with ceil_mode and padding that counts")
    return ceil or not op.padding_counts


def _partial(input: Bounded, op: Slide, outputs: Outputs, fine: bool) -> Bounded:
    """The sum over the taps inside, scaled by all taps over those inside.

    Source: Liu et al. 2018 (arXiv 1811.11718), equation 3.
    """
    inside = input.like(input.content[:, :1].nan_to_num(0.0, 0.0, 0.0) * 0 + 1, None)
    if op.kind == "average":
        share = inside.slide(op.kernels, outputs, op.apply, fine=fine, beyond=1.0).content
        found = input.slide(op.kernels, outputs, op.apply, fine=fine)
        return found.like(found.content / share.clamp(min=1e-6), None)  # a window with nothing inside: 0
    assert op.weight is not None
    ones = torch.ones(1, 1, *op.weight.shape[2:], dtype=op.weight.dtype, device=op.weight.device)
    strides, dilations = [1 if fine else k.stride for k in op.kernels], [k.dilation for k in op.kernels]
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(op.kernels) - 1]

    def count(x: Tensor) -> Tensor:
        return convolve(x, ones, None, strides, 0, dilations)

    taps = inside.slide(op.kernels, outputs, count, fine=fine, beyond=1.0).content
    bias = None if op.bias is None else op.bias.reshape(1, -1, *(1,) * len(op.kernels))
    found = input.slide(op.kernels, outputs, partial(op.apply, bias=None), fine=fine)
    scaled = found.content * (taps.clamp(min=1).reciprocal() * ones.numel())  # no tap inside: 0
    return found.like(scaled if bias is None else scaled + bias, None)
