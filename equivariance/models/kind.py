"""What kind of network one is, by what an ordinary forward pass of it calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from equivariance.ops import calling_module

CONVOLUTIONAL, ATTENDS, RECURRENT, ONE_SIZE = "convolutional", "attends", "recurrent", "one size"
# Products that are attention where both factors come from the image, and layers that run through all pixels in a row.
PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "bmm", "baddbmm", "einsum"}
ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward"}
THROUGH_PIXELS = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
SIDE = 224
FURTHER = 64  # pixels, a multiple of most strides


def kind(network: nn.Module) -> str:
    """What a network is, by what an ordinary forward pass of it calls; no reader of this project has a say.

    A network attends where it multiplies two matrices that are both computed from the image: attention of any form, of
    pixels or of channels, written out or fused. It is of one size where it runs on images of its own size alone: its
    weights are tied to the number of pixels, as in a perceptron over them. All others are convolutional.

    Args:
        network: runs on images [N, 3, H, W].
    Returns: `convolutional`, `attends`, `recurrent` or `one size`.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    side = getattr(network, "default_cfg", {}).get("input_size", (3, SIDE, SIDE))[-1]
    with torch.no_grad(), _Called() as called:
        image = torch.zeros(1, 3, side, side, device=device)
        called.note(image)
        network(image)
    if called.kind != CONVOLUTIONAL:
        return called.kind
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, side + FURTHER, side + FURTHER, device=device))
    except Exception:  # in whatever way its shapes clash
        return ONE_SIZE
    return CONVOLUTIONAL


def attending(network: nn.Module, side: int, channels: int = 3) -> tuple[str, ...]:
    """The layers that attend, by path and class, in the order in which they do; see `kind`.

    Args:
        network: runs on images [1, channels, side, side]; left as it is.
        side: pixels.
        channels: of the images.
    """
    weights = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    with torch.no_grad(), _Called() as called:
        image = weights.new_zeros(1, channels, side, side)
        called.note(image)
        network(image)
    return tuple(dict.fromkeys(called.attending))


class _Called(TorchFunctionMode):
    """Tells by what a network calls whether it attends or recurs."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = CONVOLUTIONAL
        self.attending: list[str] = []
        self._images: dict[int, Tensor] = {}  # what is computed from the image, by id; kept, or ids would be used again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, given = getattr(func, "__name__", ""), self._computed((args, tuple((kwargs or {}).values())))
        if name in ATTENTION or (name in PRODUCTS and given > 1):
            self.kind = ATTENDS
            self.attending.append(calling_module())
        elif name in THROUGH_PIXELS and self.kind == CONVOLUTIONAL:
            self.kind = RECURRENT
        found = func(*args, **(kwargs or {}))
        if given:
            self.note(found)
        return found

    def note(self, found: Any) -> None:
        """These tensors are computed from the image."""
        for value in found if isinstance(found, tuple | list) else (found,):
            if isinstance(value, Tensor):
                self._images[id(value)] = value
            elif isinstance(value, tuple | list):
                self.note(value)

    def _computed(self, values: Any) -> int:
        """How many tensors among the arguments are computed from the image."""
        nested = sum(self._computed(value) for value in values if isinstance(value, tuple | list))
        return nested + sum(isinstance(value, Tensor) and id(value) in self._images for value in values)
