"""What each unit of a network sees, computed from the network itself: no weights, no pixels.

A `Reach` stands for a feature map and carries, per axis, which input pixels a unit sees and how many units at either
end see beyond the map's edge at some layer. Any network that runs on images runs on it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch._C import DisableTorchFunctionSubclass

from equivariance.errors import UserError
from equivariance.reach.axis import Axis

__all__ = ["Axis", "Reach", "reach"]


class Reach(Tensor):
    """A feature map without values.

    Args:
        channels: int.
        axes: rows and columns.
        channels_last: whether the map lies as [N, H, W, C], where only operations on each pixel alone are known.
    """

    axes: tuple[Axis, Axis]
    channels: int
    channels_last: bool

    @staticmethod
    def __new__(cls: type[Reach], channels: int, axes: tuple[Axis, Axis], channels_last: bool = False) -> Reach:
        """A batch of one."""
        sides = (axes[0].size, axes[1].size)
        self = Tensor._make_wrapper_subclass(cls, (1, *sides, channels) if channels_last else (1, channels, *sides))
        self.axes, self.channels, self.channels_last = axes, channels, channels_last
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Looks `func` up among the operations whose reach is known."""
        from equivariance.reach.ops import JOINS, OPERATIONS, QUESTIONS, SAME_PLACE, TURNED, joined

        kwargs = kwargs or {}
        if func in QUESTIONS:
            with DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if func in SAME_PLACE or func in JOINS:
            return joined([*args, *kwargs.values()])
        turned = any(isinstance(a, Reach) and a.channels_last for a in args)
        known = TURNED if turned else OPERATIONS
        if func not in known:
            name = getattr(func, "__qualname__", repr(func))
            raise UserError(f"what {name} sees is not known; no certificate for this network")
        return known[func](*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Reached only by an operation that went around the tables."""
        raise UserError(f"what {func} sees is not known; no certificate for this network")


def reach(network: nn.Module, height: int, width: int) -> tuple[Axis, Axis]:
    """What the units of a network's feature map see of an image.

    Args:
        network: maps images [N, 3, H, W] to a feature map; or to a `Bounded` one.
        height: H in pixels.
        width: W in pixels.
    Returns: The rows' and the columns' axis.
    Raises: UserError: the network uses an operation whose reach is not known.
    Source: the usual recursion, field += (kernel - 1) * stride so far; Kayhan & van Gemert 2020, section 3.1.
    """
    found = network(Reach(3, (Axis(height), Axis(width))))
    return getattr(found, "content", found).axes
