"""What is asked of a classifier: how often its prediction stays, at which places, and how right it is there.

Source: Kayhan & van Gemert 2020, section 4.1; Zhang 2019 (consistency); circular shifts: Saha et al. (2404.07410).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance.decoding import digits
from equivariance.train import score

if TYPE_CHECKING:
    from equivariance.experiments.shift.config import Shift

BATCH = 256  # pictures at once; as released, those that share a drawn place
NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
# Class scores [n, classes] of the test pictures moved by int64 [n, 2], and then rolled around by [n, 2].
Predict = Callable[..., Tensor]
Right = dict[str, list[str]]


def measured(experiment: Shift, seed: int, predict: Predict, labels: Tensor) -> tuple[dict[str, float], Right]:
    """Asks for all of it; places follow from the seed alone, so that all variants of a seed are asked about the same.

    Args:
        experiment: where places lie, and how many are drawn.
        seed: of the places.
        predict: the classifier.
        labels: int64 [n], of the test pictures.
    Returns: The metrics (see `run.run`), and which pictures were told right, or told the same in each draw.
    """
    places, rolls = (torch.Generator().manual_seed(seed) for _ in range(2))
    count = len(labels)
    centred = predict(_everywhere((0, 0), count))
    scored, classes = score(centred, labels), centred.argmax(1)
    same, right, circular = _pairs(experiment, predict, labels, places, rolls)
    near = torch.stack([predict(_everywhere(by, count)).argmax(1) == classes for by in NEIGHBOURS])
    neighbour = drawn(0, len(NEIGHBOURS), (count,), places)
    told = {
        "accuracy_moved": right,
        "consistency": same,
        "one_pixel": near[neighbour, torch.arange(count)][None],
        "one_pixel_worst": near.all(0)[None],
        "circular": circular,
    }
    metrics = {"accuracy": scored.accuracy, "loss": scored.loss, "n": float(count)}
    metrics |= {name: _share(each) for name, each in told.items()}
    recorded = {"accuracy": digits([scored.right.cpu()])} | {name: digits(each) for name, each in told.items()}
    return metrics | _diagonal(experiment, predict, labels), recorded


def _pairs(
    experiment: Shift, predict: Predict, labels: Tensor, places: torch.Generator, rolls: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Bool [draws, n]: told the same at two places; right at each of them [2 draws, n]; the same in two turns."""
    count = len(labels)
    middle = _everywhere((0, 0), count)
    same, right, circular = [], [], []
    for _ in range(experiment.draws):
        one, other = (moves(experiment, count, places) for _ in range(2))
        first, second = predict(one).argmax(1), predict(other).argmax(1)
        same.append(first == second)
        right += [first == labels, second == labels]
        # Over the whole circle: an object that stays clear of the edge is where moving it would have put it.
        turns = (drawn(0, experiment.canvas, (count, 2), rolls) for _ in range(2))
        first, second = (predict(middle, turn).argmax(1) for turn in turns)
        circular.append(first == second)
    return torch.stack(same), torch.stack(right), torch.stack(circular)


def moves(experiment: Shift, count: int, generator: torch.Generator) -> Tensor:
    """Where each of some pictures is moved to, int64 [count, 2].

    `picture`: each to a place of its own, all within reach equally likely. `batch`: all of a batch to one place, of
    which the last row and column are never drawn, as released.
    """
    low, high = -experiment.reach, experiment.reach + 1
    if experiment.drawn == "picture":
        return drawn(low, high, (count, 2), generator)
    batches = -(-count // BATCH)
    return drawn(low, high - 1, (batches, 2), generator).repeat_interleave(BATCH, 0)[:count]


def _diagonal(experiment: Shift, predict: Predict, labels: Tensor) -> dict[str, float]:
    """Accuracy at each place of the diagonal, from the upper left to the bottom right, and its mean."""
    found = {}
    for t in range(2 * experiment.reach + 1):
        moved = _everywhere((t - experiment.reach, t - experiment.reach), len(labels))
        found[f"diagonal_{t}"] = _share(predict(moved).argmax(1) == labels)
    return {"diagonal": sum(found.values()) / len(found)} | found


def drawn(low: int, high: int, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Whole numbers from low to below high, int64."""
    return torch.randint(low, high, size, generator=generator)


def _everywhere(by: tuple[int, int], count: int) -> Tensor:
    """The same move for all pictures."""
    return torch.tensor([by]).expand(count, 2)


def _share(told: Tensor) -> float:
    return told.double().mean().item()
