"""Statistics of a whole image, gathered over its tiles and then applied to each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.tiles.arguments import bound
from equivariance.tiles.trace import NORMS, Key
from equivariance.tiles.watching import Watching


@dataclass(frozen=True)
class Moments:
    """Mean and spread of each channel over many units, exactly mergeable.

    Args:
        count: units.
        mean: float64 [C].
        squares: float64 [C], squared deviations from the mean, summed.
    Source: Chan, Golub & LeVeque 1979, the update for two sets.
    """

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, map: Tensor) -> Moments:
        """Of a map [C, *space]."""
        values = map.flatten(1).double()
        mean = values.mean(1) if values.shape[1] else values.new_zeros(len(values))
        return cls(values.shape[1], mean.cpu(), (values - mean[:, None]).square().sum(1).cpu())

    def merged(self, other: Moments) -> Moments:
        """Of both sets together."""
        count = self.count + other.count
        if not count:
            return self
        apart, share = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + apart.square() * self.count * share
        return Moments(count, self.mean + apart * share, squares)

    @property
    def variance(self) -> Tensor:
        """Biased, as norms take it."""
        return self.squares / self.count


class Reached(BaseException):
    """Carries a map out of a network; no `except Exception` of the network's own keeps it."""

    def __init__(self, map: Tensor) -> None:
        self.map = map


class Known(Watching):
    """Gives calls that take statistics of an image those of the whole image.

    Args:
        keys: the calls, in order.
        moments: of the maps of the first of them; before the next call its map is carried out by `Reached`.
    """

    def __init__(self, keys: Sequence[Key], moments: Sequence[Moments]) -> None:
        super().__init__()
        self.keys, self.moments, self.count = list(keys), moments, Counter[Any]()

    def see(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The call, or what it would be in the whole image."""
        self.count[func] += 1
        key = (func, self.count[func])
        if key not in self.keys:
            return func(*args, **kwargs)
        at = self.keys.index(key)
        if at >= len(self.moments):
            raise Reached(args[0] if args else kwargs["input"])
        if func in NORMS:
            given = bound(func, args, kwargs)
            few = given["input"].new_zeros(1, given["input"].shape[1], 2)
            kind = func(**{**given, "input": few}).dtype  # which autocast may choose
            return _normalised(self.moments[at], **{**given, "input": given["input"].to(kind)})
        template = func(*args, **kwargs)
        mean = self.moments[at].mean.to(template)
        return mean.reshape(1, -1, *(1,) * (template.dim() - 2)).expand_as(template).contiguous()


def _normalised(
    moments: Moments,
    input: Tensor,
    num_groups: int | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    **_: Any,
) -> Tensor:
    """A map normalised by the moments of its groups of channels."""
    mean, variance = (t.reshape(num_groups or input.shape[1], -1) for t in (moments.mean, moments.variance))
    centre = mean.mean(1, keepdim=True)
    spread = (variance + (mean - centre).square()).mean(1, keepdim=True)
    centre, spread = (t.expand_as(mean).reshape(-1) for t in (centre, spread))
    kind = torch.promote_types(input.dtype, torch.float32)  # norms of halves compute in it, too
    weight, bias = (None if t is None else t.to(kind) for t in (weight, bias))
    return F.batch_norm(
        input, centre.to(input.device, kind), spread.to(input.device, kind), weight, bias, False, 0.0, eps
    )
