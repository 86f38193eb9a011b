"""A run of the shift experiment: trained on centred objects, asked again where they have moved.

Source: Kayhan & van Gemert 2020, section 4.1; objects on a background, where shifts are exact, are this project's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance.boundary import Sampling
from equivariance.data.labelled import Labelled, load
from equivariance.decoding import digits
from equivariance.experiments.result import Result
from equivariance.experiments.shift.objects import Backdrop
from equivariance.models import Classifier, build
from equivariance.stopping import Cosine
from equivariance.train import Examples, Recipe, Report, fit, score, shuffled, unheard

if TYPE_CHECKING:
    from equivariance.experiments.shift.config import ShiftRun

BATCH = 256  # test images at once
NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def run(config: ShiftRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a classifier and measures its predictions at other places; all variants see the same pictures and places.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `accuracy` of centred test objects; `accuracy_moved`, of those moved at random; `consistency`, the share of
        pairs of places of one object at which the prediction is the same; `one_pixel`, that of the middle and a random
        neighbour; `one_pixel_worst`, the share of objects whose prediction none of the eight neighbours changes;
        `circular`, as `consistency`, of images rolled around by up to all of their side; all in [0, 1].
    Raises: UserError: images that cannot be had. NotFinite: training diverges.
    """
    splits, backdrop = load(config.data), Backdrop.of(config)
    model = _model(config, backdrop, device, len(splits["train"].classes))
    middle = torch.zeros(1, 2, dtype=torch.int64)

    def examples(split: Labelled) -> Examples:
        def inputs(chosen: Tensor) -> Tensor:
            return backdrop.images(split.pixels[chosen], middle.expand(len(chosen), 2)).to(device)

        return Examples(split.labels.to(device), lambda chosen: inputs(chosen.cpu()))

    history = fit(
        model,
        examples(splits["train"]),
        examples(splits["validation"]),
        _recipe(config, model, len(splits["train"])),
        report,
    )
    model.eval()
    test = splits["test"]

    def predicted(moved: Tensor, rolled: Tensor | None = None) -> Tensor:
        return _predicted(model, backdrop, test, moved, rolled, device)

    metrics, right = _measured(config, predicted, test)
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    skipped = "\n".join(line for split in splits.values() for line in split.skipped)
    notes = {"engine": "dense"} | ({"skipped": skipped} if skipped else {})
    return Result(metrics, history, weights, notes, right={"accuracy": digits([right])})


def _model(config: ShiftRun, backdrop: Backdrop, device: torch.device, classes: int) -> Classifier:
    sampling = Sampling(config.downsample.name, config.downsample.size)
    model = build(config.arch, config.init, config.conv.rule, "avg", config.seed, classes, sampling)
    model.feature_map.background = backdrop.colour
    return model.to(device)


def _recipe(config: ShiftRun, model: Classifier, count: int) -> Recipe:
    optim = config.optim
    torch.manual_seed(config.seed)  # of dropout, where there is any
    optimiser = torch.optim.SGD(
        model.parameters(), lr=optim.lr, momentum=optim.momentum, nesterov=True, weight_decay=optim.weight_decay
    )
    order = shuffled(count, config.seed)
    return Recipe(optimiser, Cosine(optim.lr, optim.epochs), optim.epochs, optim.batch, order, model.train)


def _predicted(
    model: Classifier, backdrop: Backdrop, test: Labelled, moved: Tensor, rolled: Tensor | None, device: torch.device
) -> Tensor:
    """Class scores [n, classes] of test objects moved by [n, 2], and then the images rolled around by [n, 2]."""
    found = []
    with torch.inference_mode():
        for chosen in torch.arange(len(test.labels)).split(BATCH):
            images = backdrop.images(test.pixels[chosen], moved[chosen])
            if rolled is not None:
                turned = zip(images, rolled[chosen].tolist(), strict=True)
                images = torch.stack([image.roll(tuple(by), (1, 2)) for image, by in turned])
            found.append(model(images.to(device)).cpu())
    return torch.cat(found)


def _measured(config: ShiftRun, predicted: Callable[..., Tensor], test: Labelled) -> tuple[dict[str, float], Tensor]:
    experiment, count = config.experiment, len(test.labels)
    # Of the seed alone, so that all variants of a seed are asked about the same places.
    places, rolls = (torch.Generator().manual_seed(config.seed) for _ in range(2))
    middle = torch.zeros(count, 2, dtype=torch.int64)
    centred = predicted(middle)
    scored, classes = score(centred, test.labels), centred.argmax(1)
    same, right, circular = [], [], []
    for _ in range(experiment.draws):
        low, high = -experiment.reach, experiment.reach + 1
        one, other = (drawn(low, high, (count, 2), places) for _ in range(2))
        first, second = predicted(one).argmax(1), predicted(other).argmax(1)
        same.append(first == second)
        right += [first == test.labels, second == test.labels]
        # Over the whole circle: an object that stays clear of the edge is where moving it would have put it.
        turns = (drawn(0, experiment.canvas, (count, 2), rolls) for _ in range(2))
        first, second = (predicted(middle, turn).argmax(1) for turn in turns)
        circular.append(first == second)
    near = torch.stack([predicted(torch.tensor([by]).expand(count, 2)).argmax(1) == classes for by in NEIGHBOURS])
    neighbour = drawn(0, len(NEIGHBOURS), (count,), places)
    metrics = {
        "accuracy": scored.accuracy,
        "loss": scored.loss,
        "accuracy_moved": _share(torch.stack(right)),
        "consistency": _share(torch.stack(same)),
        "one_pixel": _share(near[neighbour, torch.arange(count)]),
        "one_pixel_worst": _share(near.all(0)),
        "circular": _share(torch.stack(circular)),
        "n": float(count),
    }
    return metrics, scored.right.cpu()


def drawn(low: int, high: int, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Whole numbers from low to below high, int64."""
    return torch.randint(low, high, size, generator=generator)


def _share(told: Tensor) -> float:
    return told.double().mean().item()
