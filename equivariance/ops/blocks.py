"""Functions that turn blocks of pixels into channels: what a convolution by ones and zeros does."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops.call import Function, reads
from equivariance.ops.descriptions import Kernel, Slide, Unknown
from equivariance.ops.map import Map


@reads("pixel_unshuffle")
def pixel_unshuffle(func: Function, input: Map, downscale_factor: int) -> Slide:
    """Each block of pixels as channels of one pixel."""
    size = downscale_factor
    if not input.form.is_plain or input.axes_of_space != 2:
        raise Unknown("pixel_unshuffle of a map that does not lie as [N, C, H, W]")
    if any(side % size for side in input.sides):
        raise Unknown(f"pixel_unshuffle of {list(input.sides)} by {size}", "it does not fall into whole blocks")

    def apply(t: Tensor, bias: None = None) -> Tensor:
        height, width = (n // size * size for n in t.shape[2:])
        return F.pixel_unshuffle(t[:, :, :height, :width], size)

    taps = torch.eye(size * size, dtype=input.dtype, device=input.device).reshape(-1, 1, size, size)
    weight = taps.repeat(input.shape[1], 1, 1, 1)  # of groups of one channel
    return Slide("convolution", apply, (Kernel(size, size),) * 2, weight.shape[0], weight)


def in_blocks(input: Map, new: Sequence[int]) -> Tensor | None:
    """A view with each axis of space as two dimensions: the blocks, and the pixels of a block, which are channels.

    Args:
        input: the map.
        new: the shape of the view.
    Returns: None where that is another kind of view, or blocks are not square.
    """
    form = input.form
    starts = [dim + sum(axis < dim for axis in form.space) for dim in range(form.ndim)]
    if len(form.space) != 2 or len(new) != form.ndim + 2:
        return None
    size, channels = new[starts[form.space[0]] + 1], len(form.channels)
    for dim, entries in enumerate(input.shape):
        wanted = [entries // size, size] if dim in form.space and not entries % max(size, 1) else [entries]
        if list(new[starts[dim] : starts[dim] + len(wanted)]) != wanted or (dim in form.space and len(wanted) == 1):
            return None
    plain = input.permute(form.batch, *form.channel_dims, *form.space).reshape(input.images, -1, *input.sides)
    blocks = F.pixel_unshuffle(plain, size)
    blocks = blocks.reshape(input.images, *form.channels, size, size, *blocks.shape[2:])
    source = {form.batch: [0], **{d: [1 + i] for i, d in enumerate(form.channel_dims)}}
    source |= {d: [3 + channels + axis, 1 + channels + axis] for axis, d in enumerate(form.space)}
    return blocks.permute([d for dim in range(form.ndim) for d in source[dim]])
