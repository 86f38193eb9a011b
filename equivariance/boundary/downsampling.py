"""A map held at every entry of its grid, sampled: blurred and strided, or each image at a phase of its own.

A strided convolution is run at every entry and its stride is taken later, so the pointwise ops that follow see the
fine map, and a projection shortcut is sampled as its main branch is. A pool is sampled at once. What lies beyond the
map's edge follows the convolution type; under `circular` the fine map is the circle, each entry once, so there are as
many outputs as the circle holds.

Polyphase: on an endless background the norm of a component is infinite, so it is that of what deviates from the
background. Norms that are equal up to rounding are decided by a second number that moves with the content as the norm
does, and that tells a component from its mirror image; if that is equal too, by the first phase, rows before columns.
Components that hold the same values at other places (a blank map, a plain square) may tie: either gives the same.
"""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.boundary.bounded import Bounded
from equivariance.boundary.place import Place
from equivariance.boundary.sampling import binomial
from equivariance.boundary.sliding import slid
from equivariance.errors import UserError
from equivariance.ops import Kernel, Layout, Map, Slide

# Times the precision of the numbers: what rounding may add to a norm.
ROUNDING = 256
Extent = tuple[int, int]  # first index and the one after the last, after sampling


def sample(input: Bounded) -> Bounded:
    """The map after its pending stride, lying as it did."""
    form, content = input.form, input.form.close(input.content)
    channels, axes = content.shape[1], len(form.space)
    plain = Bounded(content, Layout.plain(channels, axes), input.passage, input.place, input.background)
    found = _blurred(plain) if input.passage.sampling.downsample == "blur" else _polyphase(plain)
    return Bounded(form.open(found.content), form, input.passage, found.place, found.background)


def sampled_sides(input: Bounded) -> tuple[int, ...]:
    """Entries along each axis that `sample` gives."""
    if input.passage.sampling.downsample == "polyphase":
        return tuple(last - first for first, last in _extents(input))
    sides = []
    for axis, kernel in enumerate(_kernels(input)):
        before, after, _ = input.extent(axis, kernel, input.rule.outputs)
        sides.append((input.lengths[axis] + before + after - kernel.span) // kernel.stride + 1)
    return tuple(sides)


# -- blur


def _kernels(input: Bounded) -> tuple[Kernel, ...]:
    """The filter along each axis that takes a stride, centred; one of an even size sees one entry more behind it."""
    size = input.passage.sampling.size
    return tuple(Kernel(size, s, 1, (size - 1) // 2, size // 2) if s > 1 else Kernel(1) for s in input.place.pending)


def _blurred(input: Bounded) -> Bounded:
    """A mean of neighbours, weighted, before the stride.

    Source: Zhang 2019 (arXiv 1904.11486), section 3.
    """
    kernels, channels = _kernels(input), input.content.shape[1]
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(kernels) - 1]
    strides = [kernel.stride for kernel in kernels]
    weight = binomial(tuple(kernel.size for kernel in kernels), input.content.new_empty(0))

    def apply(t: Tensor) -> Tensor:
        count = t.shape[1]
        return convolve(t, weight.repeat(count, 1, *(1,) * len(kernels)), None, strides, 0, 1, count)

    return slid(Slide("average", apply, kernels, channels), input, input.rule.outputs)


# -- polyphase


def _polyphase(input: Bounded) -> Bounded:
    """For each image the component x[s * j + p] whose phase p, along all axes at once, has the largest l2 norm.

    Source: Chaman & Dokmanić 2021 (arXiv 2011.14214), section 3; the norm of what deviates from an endless background:
    this project.
    """
    if isinstance(input.content, Map):
        raise UserError(
            "downsample=polyphase: each image chooses a phase by its values, so it runs on ordinary tensors alone; "
            "use canvas.dense(), or downsample=blur"
        )
    strides, extents = input.place.pending, _extents(input)
    starts = tuple(first for first, _ in extents)
    ends = tuple(last for _, last in extents)
    region = input.over(*(tuple(s * i for s, i in zip(strides, each, strict=True)) for each in (starts, ends)))
    components = _components(region, strides)
    picked = components[torch.arange(len(region), device=region.device), _choice(input, components)]
    total = tuple(here * s for here, s in zip(input.total_stride, strides, strict=True))
    place = Place(starts, total, ((0, 0),) * len(strides))
    return Bounded(picked, input.form, input.passage, place, input.background)


def _extents(input: Bounded) -> list[Extent]:
    """Indices after sampling, the same for each phase: any has an entry there, or all have, as the type says."""
    found = []
    for start, end, stride in zip(input.start, input.end, input.place.pending, strict=True):
        if input.rule.outputs == "inside":
            first, last = -(-start // stride), end // stride
        else:
            first, last = start // stride, -(-end // stride)
        if last <= first:
            raise UserError(f"conv={input.rule.name}: the image is too small for this network")
        if input.rule.outside == "circular" and (end - start) % stride:
            raise UserError(f"downsample=polyphase: a circle of {end - start} entries has no phases of {stride}")
        found.append((first, last))
    return found


def _components(region: Tensor, strides: tuple[int, ...]) -> Tensor:
    """[N, phases, C, *coarse] of [N, C, *fine], phases in row-major order."""
    axes = len(strides)
    for axis in reversed(range(axes)):
        region = region.unflatten(2 + axis, (-1, strides[axis]))
    order = (0, *(3 + 2 * axis for axis in range(axes)), 1, *(2 + 2 * axis for axis in range(axes)))
    return region.permute(order).flatten(1, axes)


def _choice(input: Bounded, components: Tensor) -> Tensor:
    """The number of each image's phase, int64 [N]; noted for later layers that reach the same strides, which follow."""
    passage, strides, axes = input.passage, input.place.pending, range(len(input.place.pending))
    images, device = len(components), components.device
    offsets = torch.tensor(list(product(*(range(s) for s in strides))), device=device)  # [phases, axes]
    allowed = torch.ones(images, len(offsets), dtype=torch.bool, device=device)
    at = [passage.chosen.get((axis, input.total_stride[axis])) for axis in axes]
    here = [torch.zeros(images, dtype=torch.int64, device=device) if a is None else a for a in at]
    reached = [(axis, input.total_stride[axis] * strides[axis]) for axis in axes]
    for axis in axes:
        if strides[axis] > 1 and reached[axis] in passage.chosen:
            wanted = passage.chosen[reached[axis]] - here[axis]
            allowed &= offsets[:, axis] * input.total_stride[axis] == wanted[:, None]
    if not (allowed.is_meta or bool(allowed.any(1).all())):
        raise passage.apart(max(stride for _, stride in reached))
    index = _largest(input, components, allowed)
    for axis in axes:
        if strides[axis] > 1:
            chosen = here[axis] + input.total_stride[axis] * offsets[index, axis]
            passage.chosen.setdefault(reached[axis], chosen)
    return index


def _largest(input: Bounded, components: Tensor, allowed: Tensor) -> Tensor:
    """The allowed component of largest norm, or of what deviates from the background in it; int64 [N]."""
    deviation = components.detach()
    if input.background is not None:
        deviation = deviation - input.background.detach()[:, None]
    deviation = deviation.double()  # rounding should not decide between phases
    norms = deviation.square().sum(tuple(range(2, deviation.dim()))).masked_fill(~allowed, -1.0)
    most = norms.amax(1, keepdim=True)
    tied = norms >= most * (1 - ROUNDING * torch.finfo(components.dtype).eps)
    if tied.is_meta or not bool((tied.sum(1) > 1).any()):
        return norms.argmax(1)
    lopsided = _lopsided(deviation, circular=input.rule.outside == "circular")
    second = lopsided.masked_fill(~tied, -torch.inf)
    scale = ROUNDING * torch.finfo(components.dtype).eps * most**1.5
    return (second >= second.amax(1, keepdim=True) - scale).to(torch.int8).argmax(1)


def _lopsided(deviation: Tensor, circular: bool) -> Tensor:
    """The sum of each entry's square times the next entry, along each axis of space by another weight, [N, phases]."""
    dims = tuple(range(2, deviation.dim()))
    found = deviation.new_zeros(deviation.shape[:2])
    for axis, dim in enumerate(dims[1:]):
        following = deviation.roll(-1, dim)
        if not circular:  # beyond the edge nothing deviates
            following.narrow(dim, -1, 1).zero_()
        found += (deviation.square() * following).sum(dims) / (1 + axis / torch.pi)
    return found
