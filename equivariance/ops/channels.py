"""Functions that mix the channels of a pixel, and no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from equivariance.ops.call import Function, op_name, reads
from equivariance.ops.descriptions import Pixelwise, Unknown
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map


def channelwise(func: Function, input: Map, dims: Sequence[int], form: Layout, *args: Any, **kwargs: Any) -> Pixelwise:
    """A function along channel dimensions.

    Args:
        func: the function.
        input: the map.
        dims: the dimensions it mixes.
        form: the layout of its result.
        args: what follows the map in the call.
        kwargs: its keywords.

    Raises:
        Unknown: one of the dimensions is not a channel dimension.
    """
    named = [d % input.form.ndim for d in dims]
    if any(d in input.form.space for d in named):
        raise Unknown(f"{op_name(func)} over dimensions {sorted(named)}", "it would mix pixels")
    if input.form.batch in named:
        raise Unknown(f"{op_name(func)} over dimensions {sorted(named)}", "it would mix images")
    return Pixelwise(lambda t: func(t, *args, **kwargs), (form,))


def flat(dims: Any) -> tuple[int, ...]:
    """Dimensions given one by one, or as one list."""
    if isinstance(dims, int):
        return (dims,)
    return tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else tuple(dims)


@reads("softmax", "log_softmax")
def softmax(func: Function, input: Map, dim: Any = None, *args: Any, **kwargs: Any) -> Pixelwise | None:
    """Over channels."""
    return None if dim is None else channelwise(func, input, [dim], input.form, dim, *args, **kwargs)


@reads(F.glu)
def glu(func: Function, input: Map, dim: int = -1) -> Pixelwise:
    """Halves the channels."""
    dim = dim % input.form.ndim
    sizes = dict(zip(input.form.channel_dims, input.form.channels, strict=True))
    form = input.form.resized({dim: sizes.get(dim, 0) // 2})
    return channelwise(func, input, [dim], form, dim)


@reads("prelu")
def prelu(func: Function, input: Map, weight: Tensor) -> Pixelwise:
    """A slope for each entry of the second dimension, where that is a channel."""
    return channelwise(func, input, [1] if weight.numel() > 1 else [], input.form, weight)


@reads(F.linear)
def linear(func: Function, input: Map, weight: Tensor, bias: Tensor | None = None) -> Pixelwise:
    """The last dimension, where that is a channel."""
    last = input.form.ndim - 1
    form = input.form.resized({last: weight.shape[0]}) if weight.dim() == 2 else input.form.without([last])
    return channelwise(func, input, [last], form, weight, bias)


@reads("layer_norm")
def layer_norm(func: Function, input: Map, normalized_shape: Sequence[int], *args: Any, **kwargs: Any) -> Pixelwise:
    """Over the last dimensions, where those are channels."""
    return _over_last(func, input, normalized_shape, *args, **kwargs)


@reads("rms_norm")
def rms_norm(func: Function, input: Map, normalized_shape: Sequence[int], *args: Any, **kwargs: Any) -> Pixelwise:
    """Over the last dimensions, where those are channels."""
    return _over_last(func, input, normalized_shape, *args, **kwargs)


def _over_last(func: Function, input: Map, shape: Sequence[int], *args: Any, **kwargs: Any) -> Pixelwise:
    dims = range(input.form.ndim - len(shape), input.form.ndim)
    if any(d in input.form.space for d in dims):
        raise Unknown(f"{op_name(func)} over {list(shape)}", "its statistics would mix pixels")
    return channelwise(func, input, dims, input.form, shape, *args, **kwargs)


@reads("cumsum")
def cumsum(func: Function, input: Map, dim: int, **kwargs: Any) -> Pixelwise:
    """Along channels."""
    return channelwise(func, input, [dim], input.form, dim, **kwargs)


@reads("flip")
def flip(func: Function, input: Map, *dims: Any, **named: Any) -> Pixelwise:
    """Along channels."""
    dims = flat(named.get("dims", dims))
    return channelwise(func, input, dims, input.form, dims)


@reads("roll")
def roll(func: Function, input: Map, shifts: Any, dims: Any = ()) -> Pixelwise:
    """Along channels."""
    named = flat(dims) or range(input.form.ndim)
    return channelwise(func, input, named, input.form, shifts, dims)


@reads("channel_shuffle")
def channel_shuffle(func: Function, input: Map, groups: int) -> Pixelwise | None:
    """The channels in another order."""
    return channelwise(func, input, [1], input.form, groups) if input.form.is_plain else None
