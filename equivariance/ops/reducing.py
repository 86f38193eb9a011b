"""Functions that take statistics: over channels, over all of space, or of a normalisation."""

from __future__ import annotations

from math import inf
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops.call import Function, Reading, op_name, reads
from equivariance.ops.channels import channelwise, flat
from equivariance.ops.descriptions import Answer, Normalise, Pixelwise, Pool, Unknown
from equivariance.ops.map import Map
from equivariance.ops.sliding import axes_named

T = TypeVar("T", bound=Tensor)


@reads("mean", "sum")
def linear_statistic(
    func: Function, input: Map, dim: Any = None, keepdim: bool = False, *, axis: Any = None, dtype: Any = None
) -> Pixelwise | Pool | Answer:
    """A mean or a sum."""
    if dtype is not None:
        raise Unknown(f"{op_name(func)} with a dtype")
    return _reduced(func, input, dim if axis is None else axis, keepdim)


@reads("amax", "amin")
def extreme(func: Function, input: Map, dim: Any = (), keepdim: bool = False) -> Pixelwise | Pool | Answer:
    """A maximum or minimum whose ties share the gradient evenly."""
    return _reduced(func, input, dim, keepdim)


def _reduced(func: Function, input: Map, dim: Any, keepdim: bool) -> Pixelwise | Pool | Answer:
    """Over channels alone, over all of space, or first over space and then over channels."""
    form, dims = input.form, _dims(func, input, dim)
    if not set(dims) & set(form.space):
        after = form.resized(dict.fromkeys(dims, 1)) if keepdim else form.without(dims)
        return channelwise(func, input, dims, after, dims, keepdim)
    rest = [d for d in dims if d not in form.space]
    if rest:
        found = func(func(input, form.space, True), rest, True)
        return Answer(found if keepdim else found.squeeze(dims))
    return Pool(op_name(func), lambda t: func(t, form.space, keepdim), (1,) * len(form.space), keepdim)  # type: ignore[arg-type]


def _dims(func: Function, input: Map, dim: Any) -> list[int]:
    """The dimensions that a statistic is over; none named means all.

    Raises:
        Unknown: the batch is among them, or some axes of space but not all.
    """
    form = input.form
    dims = sorted({d % form.ndim for d in (() if dim is None else flat(dim)) or range(form.ndim)})
    if form.batch in dims:
        raise Unknown(f"{op_name(func)} over dimensions {tuple(dims)}", "it would mix images")
    if set(dims) & set(form.space) and not set(form.space) <= set(dims):
        raise Unknown(f"{op_name(func)} over dimensions {tuple(dims)}", "only all axes of space together can be pooled")
    return dims


@reads("var", "var_mean", "std", "std_mean")
def variance(func: Function, input: Map, dim: Any = None, *args: Any, keepdim: bool = False, **kwargs: Any) -> Any:
    """Composed of means: the mean of squared deviations; 0 has the root 0 with gradient 0, as torch has it."""
    if args or isinstance(dim, bool) or set(kwargs) - {"correction", "unbiased"}:  # a bool is `unbiased`, of all
        raise Unknown(f"{op_name(func)} called so")
    dims, wide = _dims(func, input, dim), _wide(func, input)
    count = torch.Size(input.shape[d] for d in dims).numel()
    correction = kwargs.get("correction", kwargs.get("unbiased"))
    left = max(0, count - (1 if correction is None else correction))
    mean = torch.mean(wide, dims, keepdim=True)
    found = (wide - mean).square().mean(dims, keepdim=True) * (count / left if left else inf)
    found = _root(found) if op_name(func).startswith("std") else found
    found, mean = (_cast(t if keepdim else t.squeeze(dims), input.dtype) for t in (found, mean))
    return Answer((found, mean) if op_name(func).endswith("mean") else found)


def _wide(func: Function, input: Map) -> Map:
    """The map in float32 at least, in which torch sums squares.

    Raises:
        Unknown: it has no real numbers.
    """
    if not input.dtype.is_floating_point:
        raise Unknown(f"{op_name(func)} of {input.dtype}")
    return _cast(input, torch.promote_types(input.dtype, torch.float32))


def _cast(tensor: T, dtype: torch.dtype) -> T:
    """The tensor in a type; itself where it is of it."""
    return tensor if tensor.dtype == dtype else tensor.to(dtype)  # type: ignore[return-value]


def _root(squares: Tensor) -> Tensor:
    """The root, with gradient 0 at 0."""
    somewhere = squares != 0
    return torch.where(somewhere, squares, 1.0).sqrt() * somewhere


@reads("norm", torch.linalg.vector_norm)
def norm(func: Function, input: Map, *args: Any, **kwargs: Any) -> Answer | None:
    """The Euclidean norm, composed of a sum of squares; 0 has gradient 0, as torch has it."""
    names = ("p", "dim", "keepdim") if op_name(func) == "norm" else ("ord", "dim", "keepdim")
    given = {k: v for k, v in (dict(zip(names, args, strict=False)) | kwargs).items() if v is not None}
    order, dim = given.pop(names[0], 2), given.pop("dim", None)
    keepdim = given.pop("keepdim", False)
    if order not in (2, 2.0, "fro") or dim is None or given:
        raise Unknown(f"{op_name(func)} of order {order} over {dim}")
    total = torch.sum(_wide(func, input).square(), _dims(func, input, dim), keepdim)
    return Answer(_cast(_root(total), input.dtype))


@reads(F.normalize)
def normalize(func: Function, input: Map, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None) -> Answer:
    """Division by the norm, composed."""
    return Answer(input / torch.norm(input, p, dim, True).clamp_min(eps))


@reads("max", "min")
def largest(func: Function, input: Map, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest channel of each pixel and its number; or of two maps the larger."""
    if isinstance(dim, Tensor):
        return Answer({"max": torch.maximum, "min": torch.minimum}[op_name(func)](input, dim))
    checked = _of_channels(func, input, dim, keepdim)
    found = Pixelwise(lambda t: tuple(checked.apply(t)), checked.outputs * 2, several=True)
    return Reading(found, named=getattr(torch.return_types, op_name(func)))


@reads("argmax", "argmin")
def number_of_largest(func: Function, input: Map, dim: Any = None, keepdim: bool = False) -> Pixelwise:
    """The number of each pixel's largest channel."""
    return _of_channels(func, input, dim, keepdim)


def _of_channels(func: Function, input: Map, dim: Any, keepdim: bool) -> Pixelwise:
    """One of the channels along a dimension."""
    if not isinstance(dim, int):
        raise Unknown(op_name(func))
    dims = [dim % input.form.ndim]
    channelwise(func, input, dims, input.form)  # refuses other dimensions
    after = input.form.resized({dims[0]: 1}) if keepdim else input.form.without(dims)
    return channelwise(func, input, dims, after, dim, keepdim)


@reads("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_average(func: Function, input: Map, output_size: Any) -> Pool:
    """Means of bins."""
    return _binned(func, "mean", input, output_size)


_MAXIMA = [f"adaptive_max_pool{n}d{end}" for n in (1, 2, 3) for end in ("", "_with_indices")]


@reads(*(getattr(F, name) for name in _MAXIMA if hasattr(F, name)))
def adaptive_maximum(func: Function, input: Map, output_size: Any, return_indices: bool = False) -> Pool:
    """Maxima of bins; one of the largest cells gets the gradient."""
    if return_indices or op_name(func).endswith("indices"):
        raise Unknown(f"{op_name(func)} with return_indices")
    return _binned(func, "max", input, output_size)


def _binned(func: Function, statistic: Any, input: Map, output_size: Any) -> Pool:
    if not input.form.is_plain:
        raise Unknown(f"{op_name(func)} of a map whose channels are not its second dimension")
    if input.axes_of_space != axes_named(func):
        raise Unknown(f"{op_name(func)} of a map with {input.axes_of_space} axes of space")
    bins = (output_size,) * input.axes_of_space if isinstance(output_size, int) else output_size
    if len(bins) != input.axes_of_space:
        raise ValueError(f"{op_name(func)} of {input.axes_of_space} axes to {tuple(bins)}")
    if 0 in bins:
        raise Unknown(f"{op_name(func)} to {tuple(bins)}", "nothing is left")
    return Pool(statistic, lambda t: func(t, output_size), tuple(bins))


@reads(F.batch_norm)
def batch_norm(
    func: Function,
    input: Map,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Pixelwise | Normalise:
    """A scale and a shift of each channel; in training from the statistics of the batch."""
    if not input.form.is_plain:
        raise Unknown("batch_norm of a map whose channels are not its second dimension")

    def apply(t: Tensor) -> Tensor:
        return F.batch_norm(t, running_mean, running_var, weight, bias, training, momentum, eps)

    if not training:
        return Pixelwise(apply, (input.form,))
    return Normalise(apply, running_mean, running_var, weight, bias, momentum, eps)


@reads("group_norm")
def group_norm(
    func: Function,
    input: Map,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Answer:
    """Statistics of each image, composed of means over groups of channels and space."""
    if not input.form.is_plain:
        raise Unknown("group_norm of a map whose channels are not its second dimension")
    groups = _wide(func, input).unflatten(1, (num_groups, -1))
    var, mean = torch.var_mean(groups, tuple(range(2, groups.dim())), correction=0, keepdim=True)
    found = ((groups - mean) * (var + eps).rsqrt()).flatten(1, 2)
    per_channel = (1, -1, *(1,) * input.axes_of_space)
    found = found if weight is None else found * weight.reshape(per_channel)
    return Answer(_cast(found if bias is None else found + bias.reshape(per_channel), input.dtype))


@reads("instance_norm")
def instance_norm(
    func: Function,
    input: Map,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *_: Any,
) -> Answer:
    """Group norm with a group a channel; or with running statistics a scale and a shift."""
    if not use_input_stats:
        return Answer(F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps))
    if running_mean is not None:
        raise Unknown("instance_norm that tracks statistics in training")
    return Answer(F.group_norm(input, input.shape[1], weight, bias, eps))
