"""Quadrant: whether a network can tell where a picture lies, and how far from the boundary.

Source: Kayhan & van Gemert 2020, section 3.1.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from equivariance import theory
from equivariance.data import SPLITS, load_pictures
from equivariance.data.quadrant import Quadrant, normalised
from equivariance.experiments.engine import as_input, choose
from equivariance.experiments.features import cached
from equivariance.experiments.result import Result
from equivariance.models import Classifier, build, hollow, train_mode
from equivariance.train import Examples, evaluate, fit, fit_probe

if TYPE_CHECKING:
    from equivariance.config import QuadrantConfig as Config


def run(config: Config, device: torch.device) -> Result:
    """Trains a two-class network, or a head on frozen features, and tests it on unseen pictures.

    Where no unit can see picture and edge at once, the accuracy is proved and nothing is computed.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
    Returns: Test accuracy, loss and margin, and a history row an epoch; a certified run has its accuracy alone.
    Raises: UserError: pictures or weights that cannot be had.
    """
    if certified(config):
        return Result({"accuracy": 0.5, "n": 2.0 * config.data.pictures}, [], {}, {"certified": "yes"})
    splits = load_pictures(config.data, config.experiment.picture)
    arch = config.arch
    pictures = {
        split: splits.tensor(split, arch.mean, arch.std).to(device, memory_format=torch.channels_last)
        for split in SPLITS
    }
    task, model = place(config), network(config, device, pictures["train"])
    frozen = config.init.fixed
    model.train(not frozen)
    engine = choose(config.engine, model, task)
    if frozen:
        folder = Path(config.runs) / ".features"
        features = {s: cached(folder, model, task, pictures[s], engine, f"{s} features", config.force) for s in SPLITS}
        examples = {s: Examples(_labels(pictures[s]), features[s].__getitem__) for s in SPLITS}
    else:
        examples = {s: _images(task, pictures[s], engine) for s in SPLITS}
    trained: nn.Module = model.head if frozen else model
    history = _fit(config, model, trained, examples, frozen)
    test = evaluate(trained, examples["test"], config.optim.batch if config.optim.name == "sgd" else 1024)
    notes = {"engine": engine} | ({"skipped": "; ".join(splits.skipped)} if splits.skipped else {})
    return Result(
        metrics={"accuracy": test.accuracy, "loss": test.loss, "margin": test.margin, "n": float(test.n)},
        history=history,
        weights={name: tensor.detach().cpu() for name, tensor in trained.state_dict().items()},
        notes=notes,
    )


def certified(config: Config) -> bool:
    """Whether theory alone says 50 %: no weights could do better, so nothing needs training."""
    geometry = (config.experiment.border_as, config.border)
    return _certified(config.arch.model_dump_json(), config.conv.rule, geometry, place(config))


@lru_cache(4096)
def _certified(arch: str, conv: str, geometry: tuple[str, int], task: Quadrant) -> bool:
    from equivariance.config import Arch

    edgeless = conv == "unbounded"  # grows like full convolution, but nothing lies beyond an edge
    model = hollow(Arch.model_validate_json(arch), "full" if edgeless else conv)
    _move_border_into_padding(model, *geometry)
    return theory.certified(model, task, edgeless)


def place(config: Config) -> Quadrant:
    """The geometry of a run's images."""
    experiment, arch = config.experiment, config.arch
    border = config.border if experiment.border_as == "pixels" else 0
    background = normalised(experiment.background, arch.mean, arch.std)
    return Quadrant(experiment.picture, experiment.canvas, border, background, config.tolerance)


def network(config: Config, device: torch.device, pictures: Tensor | None = None) -> Classifier:
    """The run's network, initialised.

    Args:
        config: the run.
        device: where it goes.
        pictures: the training split, by which a random network that is to be frozen is calibrated; None: not at all.
    """
    model = build(config.arch, config.init, config.conv.rule, config.experiment.pooling, config.seed)
    # A quarter faster, the same numbers to rounding.
    model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.feature_map.background = place(config).background
    if pictures is not None and config.init.name == "frozen-random" and config.init.fixed:
        calibrate(model, place(config), pictures)
    _move_border_into_padding(model, config.experiment.border_as, config.border)
    return model


def calibrate(model: Classifier, task: Quadrant, pictures: Tensor) -> None:
    """Sets the running statistics of a random network's batch normalisation, once, before it is frozen.

    Fresh statistics (mean 0, variance 1) would make normalisation the identity, and in many networks the signal then
    vanishes before the last layer. So one pass over the training pictures sets them, always without border and with the
    published convolution: every border and convolution type then sees the same network, weights and statistics.

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
    conv, model.feature_map.conv = model.feature_map.conv, "same"
    model.train()
    with torch.no_grad():
        for chunk in pictures.split(32):
            model.feature_map(task.bare().both(chunk).dense())
    model.feature_map.conv = conv
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _fit(
    config: Config, model: Classifier, trained: nn.Module, examples: dict[str, Examples], frozen: bool
) -> list[dict[str, float]]:
    if config.optim.name == "probe":
        train = examples["train"]
        everything = torch.arange(len(train), device=train.labels.device)
        return [fit_probe(model.head, train.inputs(everything), train.labels, config.optim)]

    def to_train_mode() -> nn.Module:
        return trained.train() if frozen else train_mode(model, config.init)

    return fit(trained, examples["train"], examples["validation"], config.optim, config.seed, to_train_mode)


def _labels(pictures: Tensor) -> Tensor:
    """All pictures in class 0, then all in class 1."""
    return torch.arange(2, device=pictures.device).repeat_interleave(len(pictures))


def _images(task: Quadrant, pictures: Tensor, engine: str) -> Examples:
    labels = _labels(pictures)
    return Examples(labels, lambda i: as_input(task.images(pictures[i % len(pictures)], labels[i]), engine))


def _move_border_into_padding(model: nn.Module, border_as: str, border: int) -> None:
    """The released way to add a border: as the padding of the first convolution; 0 leaves it."""
    if border_as == "padding" and border:
        first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        first.padding = (border, border)
