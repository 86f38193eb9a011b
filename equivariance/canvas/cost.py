"""What a network costs on a canvas and on the ordinary tensor, and so which of the two to run."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from equivariance.ops import reading

from .canvas import Canvas

# Windows with surroundings read and write more than multiply-adds show: below this gain the ordinary tensor is as fast.
WORTHWHILE = 1.25
# What a call of one tensor operation costs whatever its size, in multiply-adds: small batches are bound by it.
CALL = {"cpu": 1e6, "cuda": 1e8}


@dataclass(frozen=True)
class Work:
    """What one forward pass over the batch takes: multiply-adds, and tensor operations called."""

    multiply_adds: int
    calls: int

    def total(self, device: str) -> float:
        """Both, in multiply-adds of a kind of device, "cpu" or "cuda"."""
        return self.multiply_adds + self.calls * CALL.get(device, CALL["cpu"])


@dataclass(frozen=True)
class Cost:
    """One forward pass over the batch on the ordinary tensor and on the canvas, and where it is to run."""

    dense: Work
    canvas: Work
    device: str

    @property
    def ratio(self) -> float:
        """How many times fewer multiply-adds the canvas needs."""
        return self.dense.multiply_adds / max(self.canvas.multiply_adds, 1)

    @property
    def engine(self) -> str:
        """The cheaper of the two: "canvas" or "dense"."""
        gain = self.dense.total(self.device) / self.canvas.total(self.device)
        return "canvas" if gain >= WORTHWHILE else "dense"


def cost(network: nn.Module, canvas: Canvas) -> Cost:
    """Counts the work from shapes alone: the network runs on the meta device, no number is computed.

    Args:
        network: any module that runs on the canvas; left as it is.
        canvas: [N, C, H, W], of the batch size that will run; may lie on the meta device. Its tolerance is taken as 0.

    Raises:
        CanvasUnsupported: the network has an op with no exact form on a canvas.
    """
    dense = torch.empty(canvas.shape, dtype=canvas.dtype, device="meta")
    device = next((t.device.type for t in network.parameters()), canvas.device.type)
    return Cost(work(network, dense), work(network, canvas.to("meta")), device)


def work(network: nn.Module, batch: Tensor) -> Work:
    """Counts one forward pass over a batch on the meta device, dense or canvas; the network may lie anywhere."""
    tensors = (*network.named_parameters(), *network.named_buffers())
    # Counters stay numbers: batch norm without a momentum reads its own.
    state = {name: t.detach().to("meta") if t.is_floating_point() else t.detach().clone() for name, t in tensors}
    with torch.no_grad(), reading(network), _Counter() as counter:
        functional_call(network, state, (batch,))
    return Work(counter.flops // 2, counter.calls)


_BATCH_NORMS = {
    getattr(torch.ops.aten, name).default
    for name in ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training")
}


def _normalised(batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shapes of what batch norm gives: torch finds them by its decomposition, which takes half of all the time."""
    statistics = batch.new_empty(batch.shape[1])
    return torch.empty_like(batch), statistics, statistics


class _Counter(TorchDispatchMode):
    """Counts calls of operations, and the multiply-adds of those for which torch has a formula.

    As torch's FlopCounterMode, but without its account for each module, which takes longer than the shapes themselves.
    """

    flops = calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, formula = kwargs or {}, flop_registry.get(func.overloadpacket)
        if formula is None:
            with self:  # inference mode hands over what consists of other operations in one piece
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        self.calls += 1
        out = _normalised(args[0]) if func in _BATCH_NORMS else func(*args, **kwargs)
        self.flops += formula(*args, **kwargs, out_val=out) if formula else 0
        return out
