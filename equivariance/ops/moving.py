"""Functions that move pixels, or put pixels between them: padding and interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch.nn.functional as F

from equivariance.ops.call import Function, reads
from equivariance.ops.channels import channelwise
from equivariance.ops.descriptions import Pad, Pixelwise, Resample, Unknown, Upsample
from equivariance.ops.map import Map


@reads("pad")
def pad(
    func: Function, input: Map, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Pad | Pixelwise:
    """Padding of space, or of channels by a constant."""
    if len(pad) % 2 or len(pad) > 2 * input.form.ndim:
        raise ValueError(f"padding of {input.form.ndim} dimensions by {list(pad)}")
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


MODES = {"linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
# Largest denominator of a scale factor: a third is meant by 0.3333333333333333.
FINEST = 1000


@reads("interpolate")
def interpolate(
    func: Function,
    input: Map,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Upsample | Resample:
    """Each entry several times, or entries between entries.

    Source: torch's own places, aten/src/ATen/native/UpSample.h.
    """
    if not input.form.is_plain:
        raise Unknown("interpolate of a map whose channels are not its second dimension")
    if antialias or not (mode in MODES or mode.startswith("nearest")):
        raise Unknown(f"interpolate by {mode}{' with antialias' if antialias else ''}")
    scales = None if size is not None else _scales(input, scale_factor)
    if mode == "nearest" and scales and all(scale.denominator == 1 for scale in scales):
        return Upsample(tuple(int(scale) for scale in scales))
    sizes = _sizes(input, size, scales)
    between = list(zip(input.sides, sizes, strict=True))
    if align_corners:
        steps = [Fraction(of - 1, max(to - 1, 1)) if to > 1 else Fraction(0) for of, to in between]
    elif scales and not recompute_scale_factor:
        steps = [1 / scale for scale in scales]
    else:
        steps = [Fraction(of, to) for of, to in between]
    start = {"nearest": lambda step: Fraction(0), "nearest-exact": lambda step: step / 2}
    starts = [Fraction(0) if align_corners else start.get(mode, lambda s: (s - 1) / 2)(step) for step in steps]
    return Resample(sizes, tuple(steps), tuple(starts), MODES.get(mode, "nearest"))  # type: ignore[arg-type]


def _scales(input: Map, scale: Any) -> tuple[Fraction, ...]:
    """Entries of the result for each of the map, an axis.

    Raises: Unknown: no fraction that could be meant.
    """
    given = list(scale) if isinstance(scale, (tuple, list)) else [scale or 0] * input.axes_of_space
    if len(given) != input.axes_of_space:
        raise ValueError(f"scale factors {scale} for {input.axes_of_space} axes")
    found = tuple(Fraction(float(f)).limit_denominator(FINEST) for f in given)
    if any(f <= 0 or abs(float(f) - float(g)) > 1e-12 * float(g) for f, g in zip(found, given, strict=True)):
        raise Unknown(f"interpolate by {scale}")
    return found


def _sizes(input: Map, size: Any, scales: tuple[Fraction, ...] | None) -> tuple[int, ...]:
    """Entries of the result along each axis."""
    if scales is not None:
        found = [int(side * scale) for side, scale in zip(input.sides, scales, strict=True)]
    else:
        found = [int(n) for n in size] if isinstance(size, (tuple, list)) else [int(size)] * input.axes_of_space
    if len(found) != input.axes_of_space or min(found) < 1:
        raise ValueError(f"interpolate of {list(input.sides)} to {found}")
    return tuple(found)
