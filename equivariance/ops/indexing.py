"""Slices and indices of a map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equivariance.ops.call import Function, Reading, reads
from equivariance.ops.channels import channelwise
from equivariance.ops.descriptions import Answer, Crop, Pixelwise, Unknown
from equivariance.ops.map import Map


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
    known = all(isinstance(k, (slice, int)) or k is None or _indices(k) for k in keys)
    plain = (
        known and not any(isinstance(k, bool) for k in keys) and lists <= (not any(isinstance(k, int) for k in keys))
    )
    return keys if plain and sum(k is not None for k in keys) == ndim else None


def _indices(key: Any) -> bool:
    """Whether it is a flat list of numbers, each of one entry; truth values would choose."""
    if isinstance(key, list):
        return all(type(k) is int for k in key)
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
    keys, size = [slice(None)] * input.form.ndim, input.shape[dim]
    first = int(start) % size if -size <= start < 0 else int(start)
    if first < 0 or length < 0 or first + length > size:
        raise ValueError(f"narrow of {size} entries to {length} from {int(start)} on")
    keys[dim] = slice(first, first + length)
    return Answer(input[tuple(keys)])
