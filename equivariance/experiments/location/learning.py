"""From pictures to a fitted network at one border.

Source: Kayhan & van Gemert 2020, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from equivariance.boundary import STRIDED
from equivariance.data import SPLITS, load_pictures
from equivariance.data.quadrant import Quadrant, with_mirrored
from equivariance.engine import as_input, choose
from equivariance.experiments.location.features import cached, digest
from equivariance.experiments.location.structure import move_border_into_padding, sampled
from equivariance.models import Classifier, build, train_mode
from equivariance.probe import fit_probe
from equivariance.train import Examples, Report, Row, fit, sgd, unheard

if TYPE_CHECKING:
    from equivariance.experiments.location.config import LocationRun


@dataclass(frozen=True)
class Fitted:
    """What training leaves.

    Args:
        trained: the whole network, or the head alone where the rest is frozen.
        examples: for each split, what `trained` takes: images, or frozen features.
        history: a row an epoch.
        engine: `canvas` or `dense`.
    """

    trained: nn.Module
    examples: dict[str, Examples]
    history: list[Row]
    engine: str


def load(config: LocationRun, device: torch.device) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The run's pictures and what is to be noted of them.

    Returns: For each split, float [n, 3, picture, picture], normalised; and a line for each that was skipped, if any.
    Raises: UserError: pictures that cannot be had.
    """
    splits, arch = load_pictures(config.data, config.experiment.picture), config.arch
    pictures = {
        split: splits.tensor(split, arch.mean, arch.std).to(device, memory_format=torch.channels_last)
        for split in SPLITS
    }
    return pictures, {"skipped": "\n".join(splits.skipped)} if splits.skipped else {}


def learn(
    config: LocationRun, task: Quadrant, model: Classifier, pictures: dict[str, Tensor], report: Report = unheard
) -> Fitted:
    """Trains a network, or its head on frozen features.

    Args:
        config: a validated run.
        task: the geometry of its images.
        model: changed in place.
        pictures: of each split, as from `load`.
        report: told each epoch's row.
    """
    frozen = config.init.fixed
    if config.data.augment == "flip":  # after calibration: the network is the same with and without
        pictures = pictures | {"train": with_mirrored(pictures["train"])}
    model.train(not frozen)
    engine = choose(config.engine, model, task)
    if frozen:
        folder = Path(config.runs) / ".features"
        weights = digest(model)
        features = {
            s: cached(folder, model, weights, task, pictures[s], engine, f"{s} features", config.force) for s in SPLITS
        }
        examples = {s: Examples(_labels(pictures[s]), features[s].__getitem__) for s in SPLITS}
    else:
        examples = {s: _images(task, pictures[s], engine) for s in SPLITS}
    trained: nn.Module = model.head if frozen else model
    return Fitted(trained, examples, _fit(config, model, trained, examples, report), engine)


def network(config: LocationRun, task: Quadrant, device: torch.device, pictures: Tensor | None = None) -> Classifier:
    """The run's network, initialised.

    Args:
        config: the run.
        task: the geometry of its images.
        device: where it goes.
        pictures: the training split, by which a random network that is to be frozen is calibrated; None: not at all.
    """
    pooling, sampling = config.experiment.pooling, sampled(config)
    model = build(config.arch, config.init, config.conv.rule, pooling, config.seed, sampling=sampling)
    # A quarter faster, the same numbers to rounding.
    model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.feature_map.background = task.background
    if pictures is not None and config.init.name == "frozen-random" and config.init.fixed:
        calibrate(model, task, pictures)
    move_border_into_padding(model, config.border if config.experiment.border_as == "padding" else 0)
    return model


def calibrate(model: Classifier, task: Quadrant, pictures: Tensor) -> None:
    """Sets the running statistics of a random network's batch normalisation, once, before it is frozen.

    Fresh statistics (mean 0, variance 1) would make normalisation the identity, and in many networks the signal then
    vanishes before the last layer. So one pass over the training pictures sets them, always without border and with the
    published convolution and sampling: every border, convolution type and sampling then sees the same network, weights
    and statistics.

    Args:
        model: changed in place.
        task: the run's geometry; its border is ignored.
        pictures: float [n, 3, side, side], the training split.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over batches
    conv, sampling = model.feature_map.conv, model.feature_map.sampling
    model.feature_map.conv, model.feature_map.sampling = "same", STRIDED
    model.eval()  # no dropout: what is frozen is to be the same network every time
    for norm in norms:
        norm.train()
    with torch.no_grad():
        for chunk in pictures.split(32):
            model.feature_map(task.bare().both(chunk).dense())
    model.feature_map.conv, model.feature_map.sampling = conv, sampling
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _fit(
    config: LocationRun, model: Classifier, trained: nn.Module, examples: dict[str, Examples], report: Report
) -> list[Row]:
    if config.optim.name == "probe":
        train = examples["train"]
        everything = torch.arange(len(train), device=train.labels.device)
        return [fit_probe(model.head, train.inputs(everything), train.labels, config.optim)]

    def to_train_mode() -> nn.Module:
        return trained.train() if config.init.fixed else train_mode(model, config.init)

    recipe = sgd(trained, len(examples["train"]), config.optim, config.seed, to_train_mode)
    return fit(trained, examples["train"], examples["validation"], recipe, report)


def _labels(pictures: Tensor) -> Tensor:
    """All pictures in class 0, then all in class 1."""
    return torch.arange(2, device=pictures.device).repeat_interleave(len(pictures))


def _images(task: Quadrant, pictures: Tensor, engine: str) -> Examples:
    labels = _labels(pictures)
    places = labels.cpu()  # geometry is no matter of a GPU, which would be waited for
    return Examples(labels, lambda i: as_input(task.images(pictures[i % len(pictures)], places[i]), engine))
