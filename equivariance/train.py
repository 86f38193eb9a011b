"""The one training loop: fit by SGD with the paper's plateau rule, fit a converged probe, evaluate."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.finite import finite
from sweeps.progress import track

if TYPE_CHECKING:
    from equivariance.config import Probe, Sgd

# Features that exact arithmetic makes equal differ by up to three units in the last place of their largest entry.
ROUNDING = 8
Row = dict[str, float]
# Told each epoch's row as training goes on; may raise to end it.
Report = Callable[[Row], None]


def unheard(row: Row) -> None:
    """A report that goes nowhere."""


@dataclass(frozen=True)
class Examples:
    """Labelled inputs of one split, made batch by batch.

    Args:
        labels: int64 [n].
        inputs: maps indices int64 [b], on the CPU, to what the model takes for them, mostly a tensor [b, ...].
    """

    labels: Tensor
    inputs: Callable[[Tensor], Any]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Score:
    """How a model does on a split.

    Args:
        accuracy: share of examples whose own class has the highest score, in [0, 1].
        loss: mean cross-entropy, in nats.
        margin: mean of the own class's score minus the best other's.
        n: examples.
        right: bool [n], which of them are told right.
    """

    accuracy: float
    loss: float
    margin: float
    n: int
    right: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bool), compare=False)


def score(logits: Tensor, labels: Tensor) -> Score:
    """Accuracy, loss and margin of class scores [n, classes] for labels [n].

    Raises: NotFinite: a score is not.
    """
    logits = finite(logits.detach().double(), "class scores")
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    # A tie goes to the lower class, as argmax has it: identical inputs of two classes then score exactly one half.
    right = logits.argmax(1) == labels
    loss, margin = F.cross_entropy(logits, labels).item(), (own - others).mean().item()
    return Score(right.double().mean().item(), loss, margin, len(labels), right)


def evaluate(model: nn.Module, examples: Examples, batch: int) -> Score:
    """Scores a model in eval mode, without gradients, `batch` examples at a time."""
    model.eval()
    with torch.inference_mode():
        chunks = torch.arange(len(examples)).split(batch)
        logits = torch.cat([model(examples.inputs(chunk)) for chunk in chunks])
    return score(logits, examples.labels)


def fit(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    optim: Sgd,
    seed: int,
    to_train_mode: Callable[[], object],
    report: Report = unheard,
) -> list[Row]:
    """Trains in place by SGD and leaves the weights with the lowest validation loss.

    The plateau rule: after `patience` epochs without a lower validation loss, the next one multiplies the learning
    rate by `factor` and returns to the best weights; training ends after `epochs` or when the rate has fallen to
    `min_lr`.

    Args:
        model: its parameters that require gradients are trained.
        train: the split that is fitted.
        validation: the split that decides the learning rate and the weights that are kept.
        optim: rates, batch and epochs.
        seed: of the order of the batches.
        to_train_mode: puts the model into train mode (a frozen trunk may stay in eval mode).
        report: called with each epoch's row.
    Returns: A row an epoch: epoch, lr, train_loss, train_accuracy, validation_loss, validation_accuracy.
    Raises: NotFinite: training diverges, in the epoch in which it does.
    Source: released code of Kayhan & van Gemert 2020 (QI_location.py).
    """
    optimiser = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=optim.lr,
        momentum=optim.momentum,
        nesterov=optim.nesterov and optim.momentum > 0,
        weight_decay=optim.weight_decay,
    )
    torch.manual_seed(seed)  # of dropout, where there is any
    generator = torch.Generator().manual_seed(seed)
    best_loss, best_state, waited, rows = float("inf"), copy.deepcopy(model.state_dict()), 0, []
    for epoch in track(range(1, optim.epochs + 1), optim.epochs, "training"):
        to_train_mode()
        trained = one_epoch(model, train, optimiser, optim.batch, torch.randperm(len(train), generator=generator))
        validated = evaluate(model, validation, optim.batch)
        rows.append(row(epoch, optimiser.param_groups[0]["lr"], trained, validated))
        report(rows[-1])
        waited += 1
        if validated.loss < best_loss:
            best_loss, best_state, waited = validated.loss, copy.deepcopy(model.state_dict()), 0
        elif waited > optim.patience:
            model.load_state_dict(best_state)
            waited = 0
            for group in optimiser.param_groups:
                group["lr"] *= optim.factor
            # 1e-3 x 0.1 x 0.1 x 0.1 is a rounding error above 1e-6, and has fallen to it all the same.
            if optimiser.param_groups[0]["lr"] <= optim.min_lr * (1 + 1e-9):
                break
    model.load_state_dict(best_state)
    return rows


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


def one_epoch(model: nn.Module, train: Examples, optimiser: torch.optim.Optimizer, batch: int, order: Tensor) -> Score:
    """One pass over the examples in a given order (int64 [n]); the score is of the outputs seen while training.

    Raises: NotFinite: training diverges.
    """
    outputs, labels = [], []
    for indices in order.to(train.labels.device).split(batch):
        optimiser.zero_grad()
        logits = model(train.inputs(indices))
        F.cross_entropy(logits, train.labels[indices]).backward()
        optimiser.step()
        outputs.append(logits.detach())
        labels.append(train.labels[indices])
    return score(finite(torch.cat(outputs), "training diverges; class scores"), torch.cat(labels))


def row(epoch: int, lr: float, trained: Score, validated: Score) -> Row:
    """A row of the history."""
    return {
        "epoch": float(epoch),
        "lr": lr,
        "train_loss": trained.loss,
        "train_accuracy": trained.accuracy,
        "validation_loss": validated.loss,
        "validation_accuracy": validated.accuracy,
    }
