"""Functions that spread each pixel over several: transposed convolution, and channels as blocks of pixels."""

from __future__ import annotations

from torch import Tensor

from equivariance.ops.call import Function, op_name, reads
from equivariance.ops.descriptions import Kernel, Spread, Unknown
from equivariance.ops.map import Map
from equivariance.ops.sliding import Size, axes_named, checked, each


@reads("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed(
    func: Function,
    input: Map,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Spread:
    """Transposed convolution; its padding cuts entries off both ends, its output padding fewer off the last."""
    axes = axes_named(func)
    if isinstance(weight, Map) or not isinstance(input, Map):
        raise Unknown(f"{op_name(func)} with a map as its weight")
    if not input.form.is_plain or input.axes_of_space != axes:
        raise Unknown(f"{op_name(func)} of a map that does not lie as [N, C, {', '.join('DHW'[-axes:])}]")
    if weight.shape[0] != input.shape[1]:
        raise RuntimeError(f"{op_name(func)} of {input.shape[1]} channels by a weight for {weight.shape[0]}")
    strides, cuts, more, spread = (each(value, axes) for value in (stride, padding, output_padding, dilation))
    kernels = (
        Kernel(k, s, d, p, p - o) for k, s, d, p, o in zip(weight.shape[2:], strides, spread, cuts, more, strict=True)
    )
    if any(not 0 <= o < max(s, d) for s, d, o in zip(strides, spread, more, strict=True)):
        raise ValueError(f"{op_name(func)} with output padding by {more} for strides {strides} and dilations {spread}")
    return Spread(checked(func, *kernels), weight.shape[1] * groups)


@reads("pixel_shuffle")
def pixel_shuffle(func: Function, input: Map, upscale_factor: int) -> Spread:
    """Channels as blocks of pixels: each pixel becomes a block of its own."""
    size = upscale_factor
    if not input.form.is_plain or input.axes_of_space != 2:
        raise Unknown("pixel_shuffle of a map that does not lie as [N, C, H, W]")
    if input.shape[1] % size**2:
        raise ValueError(f"pixel_shuffle of {input.shape[1]} channels by {size}")
    return Spread((Kernel(size, size),) * 2, input.shape[1] // size**2)
