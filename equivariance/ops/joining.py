"""Maps side by side."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from equivariance.ops.call import Function, op_name, reads
from equivariance.ops.channels import channelwise
from equivariance.ops.descriptions import Pixelwise, Unknown
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map
from equivariance.ops.pixels import thin


@reads("cat", "concat", "concatenate")
def cat(func: Function, tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Pixelwise:
    """Maps side by side along channels."""
    return _together(func, tensors, dim if axis is None else axis, None)


@reads("stack")
def stack(func: Function, tensors: Sequence[Tensor], dim: int = 0) -> Pixelwise:
    """Maps along a new channel dimension."""
    first = next(t for t in tensors if isinstance(t, Map))
    return _together(func, tensors, dim, first.form.with_new(dim % (first.form.ndim + 1), len(tensors)))


def _together(func: Function, tensors: Sequence[Tensor], dim: int, form: Layout | None) -> Pixelwise:
    tensors = [t for t in tensors if isinstance(t, Map) or form is not None or t.shape != (0,)]  # cat passes over those
    maps = list({id(t): t for t in tensors if isinstance(t, Map)}.values())
    first = maps[0].form
    if any((m.form.batch, m.form.space, m.form.ndim) != (first.batch, first.space, first.ndim) for m in maps):
        raise Unknown(f"{op_name(func)} of maps that lie differently")
    if form is None:
        dim = dim % first.ndim
        channelwise(func, maps[0], [dim], first)
        form = first.resized({dim: sum(_entries(t, dim) for t in tensors)})
    given = [t if isinstance(t, Map) else thin(t) for t in tensors]
    fixed = (first.batch, *first.space)
    varying = any(not isinstance(t, Map) and t.shape[d] > 1 for t in given for d in first.space)
    per_image = [] if varying else [t for t in given if not isinstance(t, Map) and t.shape[first.batch] > 1]
    order = [next((i for i, v in enumerate((*maps, *per_image)) if v is t), t) for t in (tensors if varying else given)]

    def apply(*parts: Tensor) -> Tensor:
        def placed(given: int | Tensor) -> Tensor:
            found = parts[given] if isinstance(given, int) else given
            if varying or (isinstance(given, int) and given < len(maps)):
                return found
            return found.expand([parts[0].shape[d] if d in fixed else n for d, n in enumerate(found.shape)])

        return func([placed(given) for given in order], dim)

    plain = len(maps) == len(tensors) and form.is_plain and dim == 1
    return Pixelwise(apply, (form,), False, tuple((t, first.batch) for t in per_image), varying, plain)


def _entries(tensor: Tensor, channel: int) -> int:
    if not isinstance(tensor, Map):
        return tensor.shape[channel]
    return tensor.form.channels[tensor.form.channel_dims.index(channel)]
