"""What a network costs on a canvas and on the ordinary tensor, and so which of the two to run."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from .canvas import Canvas

# Surroundings, more and smaller calls, and batch norm over parts cost time that multiply-adds do not show: below this
# ratio of multiply-adds the ordinary tensor is as fast or faster.
WORTHWHILE = 1.25


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one forward pass over the batch, on the ordinary tensor and on the canvas."""

    dense: int
    canvas: int

    @property
    def ratio(self) -> float:
        """How many times fewer multiply-adds the canvas needs."""
        return self.dense / max(self.canvas, 1)

    @property
    def engine(self) -> str:
        """The cheaper of the two: "canvas" or "dense"."""
        return "canvas" if self.ratio >= WORTHWHILE else "dense"


def cost(network: nn.Module, canvas: Canvas) -> Cost:
    """Counts multiply-adds from shapes alone: the network runs on the meta device, no number is computed.

    Args:
        network: any module that runs on the canvas; left as it is.
        canvas: [N, C, H, W]; its tolerance is taken as 0.

    Raises:
        CanvasUnsupported: the network has an op with no exact form on a canvas.
    """
    state = {name: t.detach().to("meta") for name, t in (*network.named_parameters(), *network.named_buffers())}
    hollow = canvas.to("meta")
    dense = torch.empty(canvas.shape, dtype=canvas.dtype, device="meta")
    run: Callable[[Tensor], object] = lambda batch: functional_call(network, state, (batch,))  # noqa: E731
    return Cost(_multiply_adds(run, dense), _multiply_adds(run, hollow))


def cheaper(network: nn.Module, canvas: Canvas) -> Tensor:
    """The canvas, or the ordinary tensor where the network runs at least as fast on that.

    Args:
        network: any module that runs on the canvas.
        canvas: [N, C, H, W].

    Returns:
        what to call the network with: the canvas itself or canvas.dense().
    """
    return canvas if cost(network, canvas).engine == "canvas" else canvas.dense()


def _multiply_adds(run: Callable[[Tensor], object], batch: Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run(batch)
    return counter.get_total_flops() // 2
