"""Convolution and pooling of a bounded map."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.boundary.bounded import Bounded
from equivariance.ops import Slide, Unknown


@Bounded.means(Slide)
def slide(op: Slide, input: Bounded) -> Bounded:
    """The published padding says where the index grid lies; the rule says what lies outside the map.

    Pools see the map as the rule continues it: an average counts what lies outside. Under `partial` a maximum is of
    what is inside, and sums are scaled by the share inside.
    """
    rule = input.rule
    if any(any(pair) for pair in input.place.margins) and input.place.lowest and op.kind != "max":
        raise Unknown(None, "right after padding by -inf")
    if op.divisor is not None:
        raise Unknown(None, "with divisor_override")
    outputs = rule.outputs if op.kind == "convolution" else rule.pools
    if rule.outside != "ignored" or max(kernel.size for kernel in op.kernels) == 1:
        return input.slide(op.kernels, outputs, op.apply)
    if op.kind == "max":
        return input.slide(op.kernels, outputs, op.apply, "lowest")
    return _partial(input, op, outputs)


def _partial(input: Bounded, op: Slide, outputs: str) -> Bounded:
    """The sum over the taps inside, scaled by all taps over those inside.

    Source: Liu et al. 2018 (arXiv 1811.11718), equation 3.
    """
    inside = input.like(input.content[:, :1] * 0 + 1, None)
    if op.kind == "average":
        share = inside.slide(op.kernels, outputs, op.apply).content  # type: ignore[arg-type]
        found = input.slide(op.kernels, outputs, op.apply)  # type: ignore[arg-type]
        return found.like(found.content / share.clamp(min=1e-6), None)  # a window with nothing inside: 0
    assert op.weight is not None
    ones = torch.ones(1, 1, *op.weight.shape[2:], dtype=op.weight.dtype, device=op.weight.device)
    strides, dilations = ([getattr(k, name) for k in op.kernels] for name in ("stride", "dilation"))
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(op.kernels) - 1]

    def count(x: Tensor) -> Tensor:
        return convolve(x, ones, None, strides, 0, dilations)

    taps = inside.slide(op.kernels, outputs, count).content  # type: ignore[arg-type]
    bias = None if op.bias is None else op.bias.reshape(1, -1, *(1,) * len(op.kernels))
    found = input.slide(op.kernels, outputs, partial(op.apply, bias=None))  # type: ignore[arg-type]
    scaled = found.content * (taps.clamp(min=1).reciprocal() * ones.numel())  # no tap inside: 0
    return found.like(scaled if bias is None else scaled + bias, None)
