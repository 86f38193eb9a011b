"""Max and average pooling of a bounded map."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair

from equivariance.errors import UserError
from equivariance.models.boundary.bounded import Bounded
from equivariance.models.boundary.ops import operation
from equivariance.models.boundary.rules import Window


@operation(F.max_pool2d, torch.max_pool2d)
def max_pool2d(
    input: Bounded, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **rest: Any
) -> Bounded:
    """Max pooling of the map as the rule continues it; `partial` takes the maximum of what is inside."""
    kernel, stride = _pair(kernel_size), _pair(kernel_size if stride in (None, []) else stride)
    padding, dilation = _pair(padding), _pair(dilation)
    if rest.get("return_indices"):
        raise UserError(f"conv={input.rule.name}: the network asks where maxima lie; use conv=same")
    ceil = bool(rest.get("ceil_mode"))
    windows = tuple(Window(kernel[a], stride[a], padding[a], padding[a], dilation[a], ceil) for a in (0, 1))

    def apply(x: Tensor) -> Tensor:
        return F.max_pool2d(x, kernel_size, stride, 0, dilation)

    outside = "lowest" if input.rule.outside == "ignored" else input.rule.outside
    return input.slide((windows[0], windows[1]), input.rule.pools, apply, outside)


@operation(F.avg_pool2d)
def avg_pool2d(
    input: Bounded,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Bounded:
    """Average pooling of the map as the rule continues it; outside pixels count, but for `partial`."""
    if divisor_override is not None:
        raise UserError(f"conv={input.rule.name}: the network averages with divisor_override; use conv=same")
    kernel, stride = _pair(kernel_size), _pair(kernel_size if stride in (None, []) else stride)
    padding = _pair(padding)
    windows = (
        Window(kernel[0], stride[0], padding[0], padding[0], 1, ceil_mode),
        Window(kernel[1], stride[1], padding[1], padding[1], 1, ceil_mode),
    )

    def apply(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel_size, stride)

    found = input.slide(windows, input.rule.pools, apply)
    if input.rule.outside != "ignored":
        return found
    inside = Bounded(input.content[:, :1] * 0 + 1, input.passage, input.start, input.total_stride, None, input.margins)
    share = inside.slide(windows, input.rule.pools, apply).content
    return found.map(lambda x: x / share.clamp(min=1e-6))  # a window with nothing inside: 0
