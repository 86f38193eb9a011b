"""Recipes for training whole networks: SGD with a schedule, in small parts, in mixed precision, resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivariance import stopping
from equivariance.config.training import Step
from equivariance.errors import UserError
from equivariance.train import Recipe, shuffled

if TYPE_CHECKING:
    from equivariance.config.training import Scheduled


def scheduled(
    model: nn.Module, count: int, optim: Scheduled, seed: int, device: torch.device, best: bool = False
) -> Recipe:
    """SGD for a fixed number of epochs; a killed run goes on at its last epoch.

    Args:
        model: on its device; all of its parameters that require gradients are trained.
        count: training examples.
        optim: rates, schedule, batch, epochs, precision.
        seed: of the order of the batches and of dropout.
        device: where it is trained.
        best: whether the weights of the epoch with the highest validation accuracy are kept, not the last ones.
    Raises: UserError: mixed precision on a CPU.
    Source: of `step` the defaults are those of PyTorch's ImageNet example, as in the code of Kayhan & van Gemert 2020.
    """
    mixed = computes_mixed(optim.precision, device)
    if mixed:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.manual_seed(seed)  # of dropout, where there is any
    optimiser = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=optim.lr,
        momentum=optim.momentum,
        nesterov=optim.nesterov,
        weight_decay=optim.weight_decay,
    )
    rule: stopping.Rule = stopping.Cosine(optim.lr, optim.epochs, best)
    if isinstance(optim, Step):
        rule = stopping.Step(optim.lr, optim.every, optim.factor, best)
    return Recipe(
        *(optimiser, rule, optim.epochs, optim.batch, shuffled(count, seed), model.train),
        micro=optim.micro_batch,
        mixed=mixed,
        resumes=True,
    )


def refuse_alone(model: nn.Module, sizes: set[int], optim: Scheduled, image: Tensor) -> None:
    """Refuses a batch, or part of one, of a single picture whose map is one entry: it has no variance to normalise by.

    Args:
        model: on its device, left in eval mode; its `feature_map` gives the map.
        sizes: of the batches.
        optim: into what parts it divides them.
        image: float [1, c, h, w], like those that it is trained on.
    Raises: UserError: there is one; says what is allowed.
    """
    part = optim.micro_batch or max(sizes)
    alone = part == 1 or any(size % part == 1 for size in sizes)
    if not alone or not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return
    with torch.no_grad():
        entries = model.eval().feature_map(image)[0, 0].numel()  # type: ignore[operator]
    if entries == 1:
        raise UserError(
            f"optim.batch={optim.batch}: one training picture would be normalised alone, by a map of 1×1; allowed: a"
            " batch, and optim.micro_batch, that leave none or more"
        )


def computes_mixed(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16 where that is safe.

    Args:
        precision: `float32` or `mixed`.
        device: where it is trained.
    Raises: UserError: mixed precision on a CPU.
    """
    if precision == "mixed" and device.type != "cuda":
        raise UserError("optim.precision=mixed: allowed on a GPU; here float32")
    return precision == "mixed"
