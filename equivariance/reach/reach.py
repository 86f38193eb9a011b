"""The tensor that a network runs on when only what its units see is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import DisableTorchFunctionSubclass

from equivariance.ops import Layout, Map, calling_module
from equivariance.ops.map import QUESTIONS
from equivariance.reach.sight import Sight, Unseen

Sights = tuple[Sight, ...]  # one for each axis of space
Pools = frozenset[Sights]


def _refusal(what: str, reason: str | None) -> Unseen:
    why = f": {reason}" if reason else ""
    return Unseen(f"what {what} sees is not known{why} (called in {calling_module()}); no certificate for this network")


_SINGLE = torch.empty(0, device="meta")


class Reach(Map):
    """A feature map of one image, without values.

    Args:
        form: how the map lies.
        sights: what its units see, one for each axis of space.
        pools: the maps of which a statistic over all of space takes part in it: every unit sees all that these see.
    """

    sights: Sights
    pools: Pools
    like: Tensor
    refusal = staticmethod(_refusal)

    @staticmethod
    def __new__(
        cls: type[Reach], form: Layout, sights: Sights, pools: Pools = frozenset(), like: Tensor = _SINGLE
    ) -> Reach:
        """A batch of one, with the type of `like`."""
        like = like.like if isinstance(like, Reach) else like  # which answers without being asked as a map
        self: Reach = cls.wrap(form.shape(1, [sight.size for sight in sights]), like, [])
        self.form, self.sights, self.pools, self.like = form, sights, pools, like
        return self

    @property
    def pooled(self) -> Pools:
        """All maps whose statistics a global pool of this one tells: itself, and those that take part in it."""
        return self.pools | {self.sights}

    def adopt(self, other: Any) -> None:
        """Takes over another map's content."""
        self.form, self.sights, self.pools = other.form, other.sights, other.pools

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As for every map; a pooled number that takes part is noted, wherever it stands."""
        found = super().__torch_function__(func, types, args, kwargs)
        if Summary not in types:
            return found
        pools = pools_among((args, list((kwargs or {}).values())))
        for each in found if isinstance(found, tuple) else (found,):
            if isinstance(each, Reach | Summary):
                each.pools |= pools
        return found


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
            found = func(*_meta(args), **{key: _meta([value])[0] for key, value in kwargs.items()})
        pools = pools_among((args, list(kwargs.values())))
        return _wrapped(found, pools)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached by what goes around `__torch_function__`."""
        raise _refusal(f"{func} from outside Python", None)


_STRIDES = {Tensor.stride, Tensor.is_contiguous}


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


def reach(network: nn.Module, *sides: int, channels: int = 3) -> Reach | Summary:
    """What the units of a network's feature map see of an image.

    Args:
        network: maps images [N, channels, *sides] to a feature map, or another reader's map of one; or to what it makes
            of global pools.
        sides: pixels along each axis of space.
        channels: of the images.
    Returns: The feature map, or the summary of those that were pooled.
    Raises: Unseen: the network uses an operation whose reach is not known, or ends in no map.
    Source: the usual recursion, field += (kernel - 1) * stride so far; Kayhan & van Gemert 2020, section 3.1.
    """
    weights = next((p for p in network.parameters() if p.is_floating_point()), _SINGLE)
    like = torch.empty(0, dtype=weights.dtype, device="meta")
    found = network(Reach(Layout.plain(channels, len(sides)), tuple(Sight(side) for side in sides), like=like))
    found = getattr(found, "content", found)
    if not isinstance(found, Reach | Summary):
        raise Unseen("the network ends in no feature map; no certificate for it")
    return found
