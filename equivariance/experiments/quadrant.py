"""Quadrant: whether a network can tell where a picture lies, and how far from the boundary.

Source: Kayhan & van Gemert 2020, section 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from equivariance.data import SPLITS, load_pictures
from equivariance.data.quadrant import Quadrant, normalised
from equivariance.experiments.result import Result
from equivariance.models import Classifier, build, train_mode
from equivariance.progress import track
from equivariance.train import Examples, evaluate, fit, fit_probe

if TYPE_CHECKING:
    from equivariance.config import Config

# Pixels of dense images computed at once: bounds memory whatever the border.
PIXELS_AT_ONCE = 4_000_000


def run(config: Config, device: torch.device) -> Result:
    """Trains a two-class network, or a head on frozen features, and tests it on unseen pictures.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
    Returns: Test accuracy, loss and margin, and a history row an epoch.
    Raises: UserError: pictures or weights that cannot be had.
    """
    splits = load_pictures(config.data, config.experiment.picture)
    arch = config.arch
    tensors = {split: splits.tensor(split, arch.mean, arch.std).to(device) for split in SPLITS}
    task = place(config)
    model = build(config.arch, config.init, config.conv.name, config.experiment.pooling, config.seed).to(device)
    if config.experiment.border_as == "padding" and config.border:
        _first_convolution(model).padding = (config.border, config.border)
    if config.init.name == "frozen-random":
        calibrate(model, task, tensors["train"])

    frozen = config.init.name != "scratch" and config.init.batchnorm == "frozen"
    examples = {split: _images(task, tensors[split]) for split in SPLITS}
    trained: nn.Module = model
    if frozen:
        examples = {split: _features(model, examples[split], task, split) for split in SPLITS}
        trained = model.head
    if config.optim.name == "probe":
        train = examples["train"]
        history = [fit_probe(model.head, train.inputs(torch.arange(len(train))), train.labels, config.optim)]
    else:

        def to_train_mode() -> nn.Module:
            return trained.train() if frozen else train_mode(model, config.init)

        history = fit(trained, examples["train"], examples["validation"], config.optim, config.seed, to_train_mode)
    test = evaluate(trained, examples["test"], 1024 if frozen else batch(task))
    return Result(
        metrics={"accuracy": test.accuracy, "loss": test.loss, "margin": test.margin, "n": float(test.n)},
        history=history,
        weights={name: tensor.detach().cpu() for name, tensor in trained.state_dict().items()},
        notes={"skipped": "; ".join(splits.skipped)} if splits.skipped else {},
    )


def place(config: Config) -> Quadrant:
    """The geometry of a run's images."""
    experiment, arch = config.experiment, config.arch
    border = config.border if experiment.border_as == "pixels" else 0
    background = normalised(experiment.background, arch.mean, arch.std)
    return Quadrant(experiment.picture, experiment.canvas, border, background)


def batch(task: Quadrant) -> int:
    """Dense images computed at once."""
    return max(1, PIXELS_AT_ONCE // task.side**2)


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
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over batches
    conv, model.conv = model.conv, "same"
    bare = _images(Quadrant(task.picture, task.canvas, 0, task.background), pictures)
    model.train()
    with torch.no_grad():
        for chunk in torch.arange(len(bare), device=pictures.device).split(64):
            model.feature_map(bare.inputs(chunk))
    model.conv = conv
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _images(task: Quadrant, pictures: Tensor) -> Examples:
    """Each picture twice: example i shows picture i // 2 in class i % 2."""
    labels = torch.arange(2 * len(pictures), device=pictures.device) % 2
    return Examples(labels, lambda i: task.images(pictures[i // 2], labels[i]))


def _features(model: Classifier, images: Examples, task: Quadrant, split: str) -> Examples:
    """The pooled features of every image, computed once."""
    model.eval()
    chunks = torch.arange(len(images), device=images.labels.device).split(batch(task))
    with torch.inference_mode():
        found = [model.features(images.inputs(c)) for c in track(chunks, len(chunks), f"{split} features")]
    features = torch.cat(found).clone()
    return Examples(images.labels, lambda i: features[i])


def _first_convolution(model: Classifier) -> nn.Conv2d:
    return next(m for m in model.modules() if isinstance(m, nn.Conv2d))
