"""Numbers that a network makes of global pools, when only what they depend on is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch._C import DisableTorchFunctionSubclass

from equivariance.ops import Map, calling_module
from equivariance.ops.call import op_name, written_by
from equivariance.ops.map import QUESTIONS
from equivariance.reach.sight import Sight, Unseen

Sights = tuple[Sight, ...]  # one for each axis of space
Pools = frozenset[Sights]


def not_known(what: str, reason: str | None) -> Unseen:
    """The refusal of a call: what it sees is not known."""
    why = f": {reason}" if reason else ""
    return Unseen(f"what {what} sees is not known{why} (called in {calling_module()}); no certificate for this network")


class Summary(Tensor):
    """Numbers for each image that depend on all of some maps: what a network makes of a global pool.

    Args:
        shown: a tensor on the meta device, for its shape.
        pools: the maps they depend on.
    """

    shown: Tensor
    pools: Pools

    @staticmethod
    def __new__(cls: type[Summary], shown: Tensor, pools: Pools) -> Summary:
        """Stands for `shown`."""
        size, strides = shown.shape, shown.stride()
        self = Tensor._make_wrapper_subclass(cls, size, strides=strides, dtype=shown.dtype, device=shown.device)
        self.shown, self.pools = shown, pools
        return self

    @property
    def pooled(self) -> Pools:
        """The maps whose statistics it tells."""
        return self.pools

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Any function of summaries is a summary; one of summaries and maps is the maps' business."""
        if any(issubclass(kind, Map) for kind in types):
            return NotImplemented
        kwargs = kwargs or {}
        with DisableTorchFunctionSubclass():
            if func in QUESTIONS or func in _STRIDES:
                return func(*args, **kwargs)
            pools = pools_among((args, list(kwargs.values())))
            written = written_by(func, args, kwargs)
            if any(not isinstance(each, Summary) or each.pools != pools for each in written):
                raise not_known(op_name(func), "it writes statistics into a tensor that others may share")
            found = _on_meta(func, args, kwargs)
            if func is F.interpolate and _is_one(args[0] if args else kwargs["input"]):
                found = found.new_empty(1, device="meta").expand(found.shape)  # the same at all places
            if any(each.shown.shape != each.size() for each in written):
                raise not_known(op_name(func), "it changes a tensor's shape in place")
        return _wrapped(found, pools)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached by what goes around `__torch_function__`."""
        raise not_known(f"{func} from outside Python", None)


def _is_one(input: Any) -> bool:
    """Whether it is one number for each image and channel."""
    return isinstance(input, Summary) and input.shown.shape[2:].numel() == 1


_STRIDES = {Tensor.stride, Tensor.is_contiguous}


def _on_meta(func: Any, args: Any, kwargs: Any) -> Any:
    """The call on tensors without numbers.

    Raises: Unseen: it asks for numbers.
    """
    try:
        return func(*_meta(args), **{key: _meta([value])[0] for key, value in kwargs.items()})
    except (RuntimeError, NotImplementedError, TypeError, BufferError) as error:
        if "meta" not in str(error).lower():
            raise
        raise not_known(op_name(func), "it asks for a number") from None


def _meta(values: Iterable[Any]) -> list[Any]:
    """The tensors behind summaries, and others, on the meta device."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, Summary):
            found.append(value.shown)
        elif isinstance(value, Tensor):
            found.append(value.to("meta"))
        else:
            found.append(type(value)(_meta(value)) if type(value) in (list, tuple) else value)
    return found


def _wrapped(found: Any, pools: Pools) -> Any:
    if isinstance(found, Tensor):
        return Summary(found, pools)
    return tuple(_wrapped(each, pools) for each in found) if isinstance(found, tuple | list) else found


def pools_among(values: Iterable[Any]) -> Pools:
    """The maps that summaries among these arguments depend on, also in lists."""
    found: Pools = frozenset()
    for value in values:
        if isinstance(value, Summary):
            found |= value.pools
        elif isinstance(value, tuple | list):
            found |= pools_among(value)
    return found
