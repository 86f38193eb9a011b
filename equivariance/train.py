"""The one training loop, how a split is scored, and the paper's recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance import parallel
from equivariance.finite import finite
from equivariance.resuming import checkpoint
from equivariance.stopping import Plateau, Rule
from sweeps.terminal import track

if TYPE_CHECKING:
    from equivariance.config import Sgd

Row = dict[str, float]
# Told each epoch's row as training goes on; may raise to end it.
Report = Callable[[Row], None]
# The mean loss of outputs [n, classes] for labels int64 [n].
Loss = Callable[[Tensor, Tensor], Tensor]


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

    def batches(self, chunks: Sequence[Tensor], epoch: int = 0) -> Iterator[Any]:
        """The inputs of some batches, one after another.

        Args:
            chunks: indices int64 [b] of each batch.
            epoch: from 1 while training; inputs that are drawn at random are others in each.
        """
        return map(self.inputs, chunks)


@dataclass(frozen=True)
class Score:
    """How a model does on a split.

    Args:
        accuracy: share of examples whose own class has the highest score, in [0, 1].
        loss: mean of what is trained on: cross-entropy, in nats, but for recipes with another.
        margin: mean of the own class's score minus the best other's.
        n: examples.
        right: bool [n], which of them are told right.
    """

    accuracy: float
    loss: float
    margin: float
    n: int
    right: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bool), compare=False)


def score(logits: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> Score:
    """Accuracy, loss and margin of class scores [n, classes] for labels [n].

    Raises: NotFinite: a score is not.
    """
    logits = finite(logits.detach().double(), "class scores")
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    # A tie goes to the lower class, as argmax has it: identical inputs of two classes then score exactly one half.
    right = logits.argmax(1) == labels
    margin = (own - others).mean().item()
    return Score(right.double().mean().item(), loss(logits, labels).item(), margin, len(labels), right)


def evaluate(model: nn.Module, examples: Examples, batch: int, loss: Loss = F.cross_entropy) -> Score:
    """Scores a model in eval mode, without gradients, `batch` examples at a time."""
    model.eval()
    with torch.inference_mode():
        chunks = torch.arange(len(examples)).split(batch)
        logits = torch.cat([model(inputs) for inputs in examples.batches(chunks)])
    return score(logits, examples.labels, loss)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Args:
        optimiser: of the parameters that train.
        rule: says after each epoch how to go on (equivariance/stopping.py).
        epochs: at most.
        batch: examples.
        order: gives each epoch's order of the examples, int64 [n].
        to_train_mode: puts the model into train mode; a frozen trunk may stay in eval mode.
        loss: what is made small, and scored by.
        micro: examples at once; gradients of a batch's parts are added up, each by its share of the examples, which is
            the batch's own where the loss is a mean over examples. BatchNorm sees a part at once. None: all of a batch.
        mixed: whether to compute in bfloat16 where that is safe (torch.autocast), on a GPU.
        resumes: whether a run that was killed goes on at its last epoch; for training that takes long.
    """

    optimiser: torch.optim.Optimizer
    rule: Rule
    epochs: int
    batch: int
    order: Callable[[], Tensor]
    to_train_mode: Callable[[], object]
    loss: Loss = F.cross_entropy
    micro: int | None = None
    mixed: bool = False
    resumes: bool = False


def fit(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    recipe: Recipe,
    report: Report = unheard,
    row: Callable[[int, float, Score, Score], Row] | None = None,
) -> list[Row]:
    """Trains in place; which weights it leaves, the recipe's rule says.

    Args:
        model: what is trained.
        train: the split that is fitted.
        validation: the split that the rule hears of.
        recipe: optimiser, rule, epochs, batch and order.
        report: called with each epoch's row.
        row: makes it of the epoch, the learning rate and both scores; None: `history_row`.
    Returns: A row an epoch.
    Raises: NotFinite: training diverges, in the epoch in which it does.
    """
    kept = checkpoint() if recipe.resumes else None
    rows, ended = kept.restore(model, recipe) if kept else ([], False)
    for told in rows:
        report(told)
    left = range(len(rows) + 1, 1 if ended else recipe.epochs + 1)
    joined = parallel.together(model) if recipe.resumes else model
    for epoch in track(left, len(left), "training"):
        recipe.to_train_mode()
        trained = one_epoch(joined, train, recipe, epoch)
        parallel.agree(model)
        validated = evaluate(model, validation, recipe.batch, recipe.loss)
        rows.append((row or history_row)(epoch, recipe.optimiser.param_groups[0]["lr"], trained, validated))
        report(rows[-1])
        ended = not recipe.rule.goes_on(validated, model, recipe.optimiser)
        if kept and parallel.rank() == 0:
            kept.save(model, recipe, rows, ended)
        if ended:
            break
    recipe.rule.settle(model)
    return rows


def shuffled(count: int, seed: int) -> Callable[[], Tensor]:
    """A new random order of so many examples each time, the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randperm(count, generator=generator)


def sgd(model: nn.Module, count: int, optim: Sgd, seed: int, to_train_mode: Callable[[], object]) -> Recipe:
    """The paper's recipe: SGD and a plateau rule on the validation loss.

    Args:
        model: its parameters that require gradients are trained.
        count: training examples.
        optim: rates, batch and epochs.
        seed: of the order of the batches.
        to_train_mode: see `Recipe`.
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
    rule = Plateau(model, optim.patience, optim.factor, optim.min_lr)
    return Recipe(optimiser, rule, optim.epochs, optim.batch, shuffled(count, seed), to_train_mode)


def one_epoch(model: nn.Module, train: Examples, recipe: Recipe, epoch: int) -> Score:
    """One pass over the examples in the recipe's next order; the score is of the outputs seen while training.

    Raises: NotFinite: training diverges.
    """
    batches, size = recipe.order().to(train.labels.device).split(recipe.batch), recipe.micro or recipe.batch
    shares = [parallel.share(batch) for batch in batches]
    inputs = iter(train.batches([part for share in shares for part in share.split(size)], epoch))
    outputs = []
    steps: Iterable[tuple[Tensor, Tensor]] = list(zip(batches, shares, strict=True))
    if recipe.resumes:
        steps = track(steps, len(batches), f"epoch {epoch}", recipe.batch)
    for batch, share in steps:
        recipe.optimiser.zero_grad()
        parts = share.split(size)
        for number, part in enumerate(parts, 1):
            with parallel.adding(model, last=number == len(parts)):
                with torch.autocast("cuda", torch.bfloat16, enabled=recipe.mixed):
                    logits = model(next(inputs))
                loss = recipe.loss(logits.float() if recipe.mixed else logits, train.labels[part])
                weight = len(part) * parallel.count() / len(batch)
                (loss if weight == 1 else loss * weight).backward()
            outputs.append(logits.detach())
        recipe.optimiser.step()
    logits, labels = parallel.gathered(torch.cat(outputs)), parallel.gathered(train.labels[torch.cat(shares)])
    return score(finite(logits, "training diverges; class scores"), labels, recipe.loss)


def history_row(epoch: int, lr: float, trained: Score, validated: Score) -> Row:
    """A row of the history."""
    return {
        "epoch": float(epoch),
        "lr": lr,
        "train_loss": trained.loss,
        "train_accuracy": trained.accuracy,
        "validation_loss": validated.loss,
        "validation_accuracy": validated.accuracy,
    }
