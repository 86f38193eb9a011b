"""A converged linear probe: the optimum is unique, so neither a validation set nor a seed takes part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.finite import finite

if TYPE_CHECKING:
    from equivariance.config import Probe
    from equivariance.train import Row

# Features that exact arithmetic makes equal differ by up to three units in the last place of their largest entry.
ROUNDING = 8


def fit_probe(head: nn.Linear, features: Tensor, labels: Tensor, optim: Probe) -> Row:
    """Fits a linear head to convergence, in place: the optimum is unique, so no validation set is needed.

    The features are standardised by their training mean and deviation, and the found weights are folded back, so that
    the head applies to raw features. A feature whose deviation is within rounding is left out.

    Args:
        head: weights [classes, C] and bias [classes] are overwritten.
        features: float [n, C], the training split's.
        labels: int64 [n].
        optim: penalty and limit on iterations.
    Returns: A row: epoch 1, iterations, train_loss.
    Raises: NotFinite: the weights that are found are not, for features beyond the range of their type.
    """
    x = features.double()
    mean, deviation = x.mean(0), x.std(0, correction=0)
    scale = torch.where(deviation > rounding(features), 1 / deviation, 0.0)
    x = (x - mean) * scale
    weight = torch.zeros_like(head.weight, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros_like(head.bias, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=optim.iterations,
        tolerance_grad=1e-8,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(x @ weight.T + bias, labels) + optim.l2 / 2 * weight.square().sum()
        loss.backward()
        return loss

    solver.step(objective)
    with torch.no_grad():
        head.weight.copy_(weight * scale)
        head.bias.copy_(bias - (weight * scale) @ mean)
        for name, parameter in head.named_parameters():
            finite(parameter, f"{name} of the probe")
    iterations = float(solver.state[weight]["n_iter"])
    return {"epoch": 1.0, "iterations": iterations, "train_loss": objective().item()}


def rounding(features: Tensor) -> Tensor:
    """The difference, float64 [C], up to which two entries of a feature are equal but for rounding.

    Args:
        features: float [n, C].
    """
    return ROUNDING * torch.finfo(features.dtype).eps * features.double().abs().amax(0)
