"""The tensor that a network runs on when only what its units see is asked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivariance.errors import UserError, reason
from equivariance.ops import Layout, Map, calling_module, reading
from equivariance.ops.map import QUESTIONS
from equivariance.reach.sight import Sight, Unseen
from equivariance.reach.summary import Pools, Sights, Summary, not_known, pools_among

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
    refusal = staticmethod(not_known)

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
        if func in QUESTIONS:
            return found
        pools = pools_among((args, list((kwargs or {}).values())))
        if not pools:
            return found
        for each in found if isinstance(found, tuple) else (found,):
            if isinstance(each, Reach | Summary):
                each.pools |= pools
        return found


def reach(network: nn.Module, *sides: int, channels: int = 3, edges: bool = True) -> Reach | Summary:
    """What the units of a network's feature map see of an image.

    Args:
        network: maps images [N, channels, *sides] to a feature map, or another reader's map of one; or to what it makes
            of global pools. Left as it is.
        sides: pixels along each axis of space.
        channels: of the images.
        edges: whether it is asked what units at the image's edges see, too, as in `Sight`.
    Returns: The feature map, or the summary of those that were pooled.
    Raises: Unseen: the network uses an operation whose reach is not known, or ends in no map. UserError: it does not
        run on such an image.
    Source: the usual recursion, field += (kernel - 1) * stride so far; Kayhan & van Gemert 2020, section 3.1.
    """
    weights = next((p for p in network.parameters() if p.is_floating_point()), _SINGLE)
    like = torch.empty(0, dtype=weights.dtype, device="meta")
    image = Reach(Layout.plain(channels, len(sides)), tuple(Sight(side, edges=edges) for side in sides), like=like)
    try:
        with reading(network):
            found = network(image)
    except UserError:
        raise
    except Exception as error:  # of the network's own, which takes no such image
        what = f"{reason(error)} (raised in {calling_module(error)})"
        raise UserError(f"the model fails on images of {list(sides)} pixels: {what}") from error
    found = getattr(found, "content", found)
    if not isinstance(found, Reach | Summary):
        raise Unseen("the network ends in no feature map; no certificate for it")
    return found
