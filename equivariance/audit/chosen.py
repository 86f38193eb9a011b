"""A network with one of the things that it returns."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor, nn

from equivariance.tiles.output import Selected

PREFIX = "network."
T = TypeVar("T")


class Chosen(nn.Module):
    """A network whose output is one part of what it returns.

    Args:
        network: returns dicts, tuples or objects that hold it.
        output: keys, names or numbers on the way to it, between dots.
    """

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network, self.output = network, output
        self.train(network.training)

    def forward(self, images: Tensor) -> Any:
        """The part of these images' output."""
        return Selected(self.network, self.output)(images)


def named_as_given(found: T) -> T:
    """A report of a `Chosen` network with the layers' own names."""
    if isinstance(found, str):
        return found.replace(PREFIX, "")  # type: ignore[return-value]
    if isinstance(found, tuple) and not hasattr(found, "_fields"):
        return tuple(map(named_as_given, found))  # type: ignore[return-value]
    if is_dataclass(found) and not isinstance(found, type):
        return replace(found, **{f.name: named_as_given(getattr(found, f.name)) for f in fields(found) if f.init})
    return found
