"""Training one network with several processes of one machine, as torchrun starts them, a GPU each where there are some.

`torchrun --nproc-per-node=4 -m equivariance.run experiment=shift …`

Each process computes its share of every batch and DistributedDataParallel averages the gradients, so that training is
that of one process to rounding. BatchNorm is the exception: each process normalises by its own share, as is usual, and
the running statistics that count are those of the first. Only the first process claims, writes, mirrors and prints; the
others follow it and measure the same.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from equivariance.config.training import Scheduled
from equivariance.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from equivariance.config import Run

# The others wait for the first while it waits for the claim on a run, say.
PATIENCE = timedelta(days=7)


def count() -> int:
    """How many compute this run; one where torchrun did not start it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def check(config: Run) -> None:
    """Refuses what several processes cannot share.

    Raises: UserError: the run has no recipe for that, or there are fewer GPUs than processes.
    """
    if count() == 1:
        return
    if not isinstance(config.optim, Scheduled):
        raise UserError(f"torchrun with {count()} processes: allowed with optim=cosine | step")
    if config.device.startswith("cuda:"):
        raise UserError(
            f"device={config.device}: with torchrun allowed: auto, cpu, cuda; each process takes its own GPU"
        )
    batch = config.optim.batch
    if batch < count():
        raise UserError(f"optim.batch={batch}: allowed: from {count()}, the number of processes")


def own(device: torch.device) -> torch.device:
    """The device of this process.

    Raises: UserError: there is no GPU for it.
    """
    import torch

    if count() == 1 or device.type != "cuda":
        return device
    number, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= there:
        raise UserError(f"torchrun: process {number + 1} has no GPU; allowed: --nproc-per-node up to {there}")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def begin(computes: bool) -> bool:
    """The first process tells the others whether there is something to compute; the others hear it."""
    import torch
    import torch.distributed as dist

    if count() == 1:
        return computes
    if not dist.is_initialized():
        # Numbers on the CPU by gloo, gradients on GPUs by nccl.
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    told = torch.tensor([int(computes)])
    dist.broadcast(told, 0)
    return bool(told)


def dismiss() -> None:
    """The first process is done; where it had nothing to compute, the others hear it now."""
    import torch.distributed as dist

    if count() == 1:
        return
    if not dist.is_initialized():
        begin(computes=False)
    dist.destroy_process_group()


def together(model: nn.Module) -> nn.Module:
    """The model whose gradients are averaged over all processes; with one process the model itself."""
    from torch.nn.parallel import DistributedDataParallel

    # A network's own classifier, which ours replaces, gets no gradients.
    return model if count() == 1 else DistributedDataParallel(model, find_unused_parameters=True)


def share(batch: Tensor) -> Tensor:
    """The part of a batch [b] that is this process's, of about b / processes.

    Raises: UserError: it is none.
    """
    if len(batch) < count():
        raise UserError(f"optim.batch: the last batch has {len(batch)} images for {count()} processes")
    return batch.tensor_split(count())[rank()]


def adding(model: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Around the backward pass of a part: gradients are averaged after the last one only."""
    return nullcontext() if last or count() == 1 else model.no_sync()  # type: ignore[operator]


def gathered(values: Tensor) -> Tensor:
    """The values [n, …] of all processes, one process's after another's; of one process, they themselves."""
    import torch
    import torch.distributed as dist

    if count() == 1:
        return values
    found: list[Tensor | None] = [None] * count()
    dist.all_gather_object(found, values.cpu())
    return torch.cat([part for part in found if part is not None]).to(values.device)


def agree(model: nn.Module) -> None:
    """Gives all processes the running statistics of the first."""
    import torch.distributed as dist

    if count() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)
