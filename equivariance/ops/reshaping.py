"""Functions that regroup channels, or move the dimensions of a map: no pixel meets another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivariance.ops.blocks import in_blocks
from equivariance.ops.call import Function, Reading, op_name, reads
from equivariance.ops.channels import channelwise, flat
from equivariance.ops.descriptions import Answer, Pixelwise, Unknown, Unroll
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map


def _view(description: Pixelwise) -> Reading:
    return Reading(description, alias=True)


@reads("permute")
def permute(func: Function, input: Map, *order: Any, dims: Any = None) -> Reading:
    """Any order."""
    wanted = [d % input.form.ndim for d in flat(order if dims is None else dims)]
    if sorted(wanted) != list(range(input.form.ndim)):
        raise ValueError(f"permute of {input.form.ndim} dimensions by {wanted}")
    form = input.form.permuted(wanted)
    if tuple(sorted(form.space)) != form.space:
        raise Unknown(f"{op_name(func)} to {tuple(wanted)}", "it swaps the axes of space")
    return _view(Pixelwise(lambda t: t.permute(wanted), (form,)))


@reads("transpose", "swapaxes", "swapdims")
def transpose(func: Function, input: Map, dim0: int, dim1: int) -> Reading:
    """Two dimensions change places."""
    order = list(range(input.form.ndim))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return permute(func, input, order)


@reads("movedim", "moveaxis")
def movedim(func: Function, input: Map, source: Any, destination: Any) -> Reading:
    """Some dimensions move, the others close up in their order."""
    pairs = zip(flat(destination), flat(source), strict=True)
    moved = {to % input.form.ndim: of % input.form.ndim for to, of in pairs}
    others = iter(d for d in range(input.form.ndim) if d not in moved.values())
    return permute(func, input, [moved[d] if d in moved else next(others) for d in range(input.form.ndim)])


@reads("view", "reshape")
def reshape(func: Function, input: Map, *shape: Any) -> Reading | Answer:
    """Another grouping of the channels, images and axes of space stay dimensions of their own; or blocks of pixels."""
    if len(shape) == 1 and isinstance(shape[0], torch.dtype):
        raise Unknown("view as another dtype")
    new = _resolved(input, flat(shape))
    blocks = in_blocks(input, new)
    if blocks is not None:
        return Answer(input.viewed_as(blocks))
    return _view(_regrouped(op_name(func), input, new))


@reads("unflatten")
def unflatten(func: Function, input: Map, dim: int, sizes: Sequence[int]) -> Reading:
    """One channel dimension as several."""
    dim = dim % input.form.ndim
    return _view(_regrouped("unflatten", input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :])))


@reads("flatten")
def flatten(func: Function, input: Map, start_dim: int = 0, end_dim: int = -1) -> Reading | Unroll:
    """Channel dimensions as one; or the pixels in order."""
    start, end = start_dim % input.form.ndim, end_dim % input.form.ndim
    if any(start <= d <= end for d in input.form.space):
        return Unroll(lambda t: t.flatten(start_dim, end_dim))
    return _view(_regrouped("flatten", input, (*input.shape[:start], -1, *input.shape[end + 1 :])))


def _regrouped(name: str, input: Map, shape: Sequence[int]) -> Pixelwise:
    old, new = list(input.shape), _resolved(input, shape)
    found = _matched(input.form, old, new)
    if found is None:
        raise Unknown(f"{name} of {old} to {new}", "it would mix pixels or images with other dimensions")

    def apply(t: Tensor) -> Tensor:
        kept = dict(zip((found.batch, *found.space), (input.form.batch, *input.form.space), strict=True))
        return t.reshape([t.shape[kept[d]] if d in kept else n for d, n in enumerate(new)])

    return Pixelwise(apply, (found,))


def _resolved(input: Map, shape: Sequence[int]) -> list[int]:
    """A shape with the number that -1 stands for."""
    new = list(shape)
    if new.count(-1) == 1:
        known = torch.Size(n for n in new if n != -1).numel()
        new[new.index(-1)] = input.numel() // max(known, 1)
    return new


def _matched(form: Layout, old: Sequence[int], new: Sequence[int]) -> Layout | None:
    """The layout after a reshape, None where a dimension of batch or space is split or merged."""
    fixed = sorted((form.batch, *form.space))
    places, start, at = {}, 0, 0  # of the old dimensions read so far, and of the new ones
    for dim in fixed:
        size, wanted = 1, torch.Size(old[start:dim]).numel()
        while at < len(new) and (size < wanted or (new[at] == 1 and old[dim] != 1)):
            size, at = size * new[at], at + 1
        if size != wanted or at == len(new) or new[at] != old[dim]:
            return None
        places[dim], start, at = at, dim + 1, at + 1
    if torch.Size(old[start:]).numel() != torch.Size(new[at:]).numel():
        return None
    space = tuple(places[d] for d in form.space)
    batch = places[form.batch]
    return Layout(batch, space, tuple(n for d, n in enumerate(new) if d != batch and d not in space))


@reads("unsqueeze")
def unsqueeze(func: Function, input: Map, dim: int) -> Reading:
    """A new channel dimension of size 1."""
    dim = dim % (input.form.ndim + 1)
    return _view(Pixelwise(lambda t: t.unsqueeze(dim), (input.form.with_new(dim),)))


@reads("squeeze")
def squeeze(func: Function, input: Map, dim: Any = None) -> Reading | Answer:
    """A channel dimension of size 1 goes."""
    if dim is None:
        raise Unknown("squeeze of every dimension of size 1")
    dims = [d % input.form.ndim for d in flat(dim) if input.shape[d] == 1]
    if not dims:
        return Answer(input)
    return _view(channelwise(lambda t: t.squeeze(dims), input, dims, input.form.without(dims)))


@reads("split", "split_with_sizes")
def split(func: Function, input: Map, split_size: Any, dim: int = 0) -> Reading:
    """Parts of a channel dimension."""
    dim = dim % input.form.ndim
    total = input.shape[dim]
    sizes = [split_size] * -(-total // split_size) if isinstance(split_size, int) else list(split_size)
    if not isinstance(split_size, int) and sum(sizes) != total:
        raise ValueError(f"parts of {sizes} of {total} channels")
    if isinstance(split_size, int):
        sizes[-1] = total - split_size * (len(sizes) - 1)
    channelwise(func, input, [dim], input.form)  # refuses other dimensions
    forms = tuple(input.form.resized({dim: size}) for size in sizes)
    return _view(Pixelwise(lambda t: t.split(sizes, dim), forms, several=True))


@reads("chunk")
def chunk(func: Function, input: Map, chunks: int, dim: int = 0) -> Reading:
    """Parts of a channel dimension."""
    return split(func, input, max(1, -(-input.shape[dim] // chunks)), dim)


@reads("unbind")
def unbind(func: Function, input: Map, dim: int = 0) -> Reading:
    """Each entry of a channel dimension."""
    dim = dim % input.form.ndim
    channelwise(func, input, [dim], input.form)  # refuses other dimensions
    forms = (input.form.without([dim]),) * input.shape[dim]
    return _view(Pixelwise(lambda t: t.unbind(dim), forms, several=True))
