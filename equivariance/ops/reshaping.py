"""Functions that regroup channels, or move the dimensions of a map: no pixel meets another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivariance.ops.call import Function, Reading, op_name, reads
from equivariance.ops.descriptions import Answer, Crop, Pixelwise, Unknown, Unroll
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map
from equivariance.ops.pixels import channelwise, flat


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
def movedim(func: Function, input: Map, source: int, destination: int) -> Reading:
    """One dimension moves."""
    order = [d for d in range(input.form.ndim) if d != source % input.form.ndim]
    order.insert(destination % input.form.ndim, source % input.form.ndim)
    return permute(func, input, order)


@reads("view", "reshape")
def reshape(func: Function, input: Map, *shape: Any) -> Reading:
    """Another grouping of the channels; images and axes of space stay dimensions of their own."""
    if len(shape) == 1 and isinstance(shape[0], torch.dtype):
        raise Unknown("view as another dtype")
    return _view(_regrouped(op_name(func), input, flat(shape)))


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
    old, new = list(input.shape), list(shape)
    if new.count(-1) == 1:
        known = torch.Size(n for n in new if n != -1).numel()
        new[new.index(-1)] = input.numel() // max(known, 1)
    found = _matched(input.form, old, new)
    if found is None:
        raise Unknown(f"{name} of {old} to {new}", "it would mix pixels or images with other dimensions")

    def apply(t: Tensor) -> Tensor:
        kept = dict(zip((found.batch, *found.space), (input.form.batch, *input.form.space), strict=True))
        return t.reshape([t.shape[kept[d]] if d in kept else n for d, n in enumerate(new)])

    return Pixelwise(apply, (found,))


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
    maps = list({id(t): t for t in tensors if isinstance(t, Map)}.values())
    first = maps[0].form
    if form is None:
        dim = dim % first.ndim
        channelwise(func, maps[0], [dim], first)
        form = first.resized({dim: sum(t.shape[dim] for t in tensors)})
    if any((m.form.batch, m.form.space, m.form.ndim) != (first.batch, first.space, first.ndim) for m in maps):
        raise Unknown(f"{op_name(func)} of maps that lie differently")
    order = [next((i for i, m in enumerate(maps) if m is t), t) for t in tensors]

    def apply(*parts: Tensor) -> Tensor:
        return func([parts[i] if isinstance(i, int) else i for i in order], dim)

    plain = len(maps) == len(tensors) and form.is_plain and dim == 1
    return Pixelwise(apply, (form,), varying=any(not isinstance(t, Map) for t in tensors), joins=plain)


@reads(Tensor.__getitem__)
def getitem(func: Function, input: Map, key: Any) -> Reading | Answer:
    """Slices of space, and anything of channels that leaves images and space as they are."""
    keys = _full(list(key) if isinstance(key, tuple) else [key], input.form.ndim)
    if keys is None:
        raise Unknown(f"indexing by {key}", "only slices of channels, rows and columns are known")
    if any(isinstance(k, slice) and k.step is not None and k.step < 1 for k in keys):
        raise ValueError("the step of a slice must be greater than zero")
    old = [i for i, k in enumerate(keys) if k is not None]  # positions in the key of the tensor's own dimensions
    for i, size in zip(old, input.shape, strict=True):
        if isinstance(keys[i], slice) and keys[i].indices(size) == (0, size, 1):
            keys[i] = slice(None)
    fixed = (input.form.batch, *input.form.space)
    if any(not isinstance(keys[old[d]], slice) for d in fixed) or keys[old[input.form.batch]] != slice(None):
        raise Unknown(f"indexing by {key}", "only slices of channels, rows and columns are known")
    parts = tuple(keys[old[d]].indices(input.shape[d]) for d in input.form.space)
    whole = all(part == (0, input.shape[d], 1) for part, d in zip(parts, input.form.space, strict=True))
    channels = [slice(None) if i in {old[d] for d in fixed} else k for i, k in enumerate(keys)]
    if whole:
        return _indexed(func, input, channels)
    if all(k == slice(None) for k in channels):
        return Reading(Crop(parts), alias=True)
    space = tuple(keys[old[d]] if d in input.form.space else slice(None) for d in range(input.form.ndim))
    return Answer(input[space][tuple(channels)])


def _full(keys: list[Any], ndim: int) -> list[Any] | None:
    """One key for each dimension, new ones (None) besides; None where anything else is among them."""
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        given = sum(k is not None for k in keys) - 1
        keys[at : at + 1] = [slice(None)] * (ndim - given)
    keys += [slice(None)] * (ndim - sum(k is not None for k in keys))
    lists = sum(isinstance(k, (list, Tensor)) for k in keys)
    known = all(isinstance(k, (slice, int, list)) or k is None or _indices(k) for k in keys)
    plain = (
        known and not any(isinstance(k, bool) for k in keys) and lists <= (not any(isinstance(k, int) for k in keys))
    )
    return keys if plain and sum(k is not None for k in keys) == ndim else None


def _indices(key: Any) -> bool:
    return isinstance(key, Tensor) and not isinstance(key, Map) and key.dtype == torch.int64 and key.dim() == 1


def _indexed(func: Function, input: Map, keys: list[Any]) -> Reading:
    """An index of channels alone."""
    form, at = input.form, 0
    for key in keys:
        if key is None:
            form = form.with_new(at)
        elif isinstance(key, int):
            form = form.without([at])
            continue
        elif isinstance(key, slice) and key != slice(None):
            form = form.resized({at: len(range(*key.indices(form.shape(1, input.sides)[at])))})
        elif not isinstance(key, slice):
            form = form.resized({at: len(key)})
        at += 1
    picked = any(isinstance(k, (list, Tensor)) for k in keys)
    return Reading(Pixelwise(lambda t: t[tuple(keys)], (form,)), alias=not picked)


@reads("index_select")
def index_select(func: Function, input: Map, dim: int, index: Tensor) -> Pixelwise:
    """Some channels."""
    dim = dim % input.form.ndim
    return channelwise(func, input, [dim], input.form.resized({dim: len(index)}), dim, index)


@reads("narrow")
def narrow(func: Function, input: Map, dim: int, start: int, length: int) -> Answer:
    """A slice."""
    keys = [slice(None)] * input.form.ndim
    keys[dim] = slice(start, start + length)
    return Answer(input[tuple(keys)])


@reads("channel_shuffle")
def channel_shuffle(func: Function, input: Map, groups: int) -> Pixelwise | None:
    """The channels in another order."""
    return channelwise(func, input, [1], input.form, groups) if input.form.is_plain else None
