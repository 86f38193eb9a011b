"""Functions that move pixels without computing: padding and nearest upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F

from equivariance.ops.call import Function, reads
from equivariance.ops.channels import channelwise
from equivariance.ops.descriptions import Pad, Pixelwise, Unknown, Upsample
from equivariance.ops.map import Map


@reads("pad")
def pad(
    func: Function, input: Map, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Pad | Pixelwise:
    """Padding of space, or of channels by a constant."""
    amounts = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    of = {input.form.ndim - 1 - i: sides for i, sides in enumerate(amounts)}  # the last dimension comes first
    channels = {d: sides for d, sides in of.items() if d not in input.form.space and any(sides)}
    fill = 0.0 if value is None else float(value)
    if channels:
        if len(channels) < sum(any(sides) for sides in of.values()):
            raise Unknown("padding along channels and space at once")
        sizes = {d: input.shape[d] + sum(sides) for d, sides in channels.items()}
        if input.form.batch in channels:
            raise Unknown("padding along the batch")
        return channelwise(F.pad, input, list(channels), input.form.resized(sizes), list(pad), mode, value)
    if mode != "constant" and len(pad) != 2 * input.axes_of_space:
        raise ValueError(f"{mode} padding of a map takes {2 * input.axes_of_space} amounts, not {len(pad)}")
    return Pad(tuple(of.get(d, (0, 0)) for d in input.form.space), mode, fill)


@reads("interpolate")
def interpolate(
    func: Function, input: Map, size: Any = None, scale_factor: Any = None, mode: str = "nearest", **options: Any
) -> Upsample:
    """By the nearest and whole factors."""
    if not input.form.is_plain:
        raise Unknown("interpolate of a map whose channels are not its second dimension")
    factors = _factors(input, size, scale_factor)
    if mode != "nearest" or factors is None or any(options.values()):
        raise Unknown(f"interpolate by {mode} to {size or scale_factor}")
    return Upsample(factors)


def _factors(input: Map, size: Any, scale: Any) -> tuple[int, ...] | None:
    """A whole factor an axis, None where there is none."""
    if size is not None:
        return None
    given = list(scale) if isinstance(scale, (tuple, list)) else [scale or 0] * input.axes_of_space
    if len(given) != input.axes_of_space:
        raise ValueError(f"scale factors {scale} for {input.axes_of_space} axes")
    found = [float(f) for f in given]
    return tuple(int(f) for f in found) if all(f >= 1 and f == int(f) for f in found) else None
