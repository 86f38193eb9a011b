"""Layers over the channels of each pixel: permute to [N, H, W, C], layer_norm, linear, and back, as ConvNeXt does."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas
from .dispatch import rule, rules
from .errors import CanvasUnsupported
from .pointwise import copying
from .wrapper import Wrapper


class ChannelsLast(Wrapper):
    """A canvas with its channels permuted to the end: stands for [N, H, W, C].

    Args:
        canvas: the canvas, [N, C, H, W].
    """

    canvas: Canvas

    @staticmethod
    def __new__(cls: type["ChannelsLast"], canvas: Canvas) -> "ChannelsLast":
        """Wraps the canvas; its tensors are not copied."""
        n, channels, height, width = canvas.shape
        size = (n, height, width, channels)
        return cls.wrap(size, canvas.parts())

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.guard()

    def dense(self) -> Tensor:
        """The ordinary tensor [N, H, W, C]."""
        self.refuse_foreign()
        return self.canvas.dense().permute(0, 2, 3, 1)

    def map(self, f: Callable[[Tensor], Tensor]) -> "ChannelsLast":
        """The same after a function of each pixel, [n, h, w, C] to [n, h, w, C']."""
        return ChannelsLast(self.canvas.map(lambda t: f(t.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)))

    def become(self, other: "ChannelsLast") -> "ChannelsLast":
        """Takes over another one's content: what an in-place op does."""
        self.canvas.become(other.canvas)
        return self

    def parts(self) -> list[Tensor]:
        """Those of the canvas."""
        return self.canvas.parts()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"ChannelsLast({self.canvas!r})"


@rule(torch.permute, Tensor.permute)
def permute(input: Canvas, *order: Any, dims: Any = None) -> Tensor:
    """[N, C, H, W] to [N, H, W, C]; no other order is known."""
    wanted = _order(order, dims)
    if wanted == (0, 1, 2, 3):
        return input
    if wanted != (0, 2, 3, 1):
        raise CanvasUnsupported(f"permute to {wanted}")
    return ChannelsLast(input.viewed_as(input.map(lambda t: t)))


@rule(torch.permute, Tensor.permute, form="ChannelsLast")
def permute_back(input: ChannelsLast, *order: Any, dims: Any = None) -> Tensor:
    """[N, H, W, C] to [N, C, H, W]; no other order is known."""
    if (wanted := _order(order, dims)) != (0, 3, 1, 2):
        raise CanvasUnsupported(f"permute of a permuted canvas to {wanted}")
    return input.canvas


@rule(F.linear, form="ChannelsLast")
def linear(input: ChannelsLast, weight: Tensor, bias: Tensor | None = None) -> ChannelsLast:
    """torch.nn.functional.linear of each pixel, [N, H, W, C] to [N, H, W, C']."""
    return input.map(lambda t: F.linear(t, weight, bias))


@rule(F.layer_norm, torch.layer_norm, form="ChannelsLast")
def layer_norm(
    input: ChannelsLast,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> ChannelsLast:
    """torch.nn.functional.layer_norm over the channels of each pixel, [N, H, W, C] to the same."""
    if len(normalized_shape) != 1:
        raise CanvasUnsupported(f"layer_norm over {list(normalized_shape)}", "its statistics would mix pixels")
    return input.map(lambda t: F.layer_norm(t, normalized_shape, weight, bias, eps))


@rule(F.dropout, torch.dropout, form="ChannelsLast")
def dropout(input: ChannelsLast, p: float = 0.5, training: bool = True, inplace: bool = False) -> ChannelsLast:
    """Dropout that is off, unchanged."""
    if training and p:
        raise CanvasUnsupported("dropout in training mode", "its noise differs from cell to cell")
    return input


def _order(given: tuple[Any, ...], dims: Any) -> tuple[int, ...]:
    given = given if dims is None else (dims,)
    flat = given[0] if len(given) == 1 and not isinstance(given[0], int) else given
    return tuple(d % 4 for d in flat)


rules("elu gelu leaky_relu relu relu6 sigmoid silu softplus tanh", copying, F, form="ChannelsLast")
rules("abs clamp contiguous relu sigmoid tanh", copying, torch, Tensor, form="ChannelsLast")
