"""A run of the data-efficiency experiment: trained on some pictures of each class, tested on pictures of its own.

Source: Kayhan & van Gemert 2020, section 4.2; the controls and the two placements are this project's.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance import batch_statistics
from equivariance.canvas.cost import work
from equivariance.data.backdrop import Backdrop
from equivariance.data.labelled import Labelled, augmented, load
from equivariance.decoding import digits
from equivariance.experiments.data_efficiency.controls import matched, network
from equivariance.experiments.data_efficiency.lasting import lasting
from equivariance.experiments.data_efficiency.subsets import digest, places, subset
from equivariance.experiments.result import Result
from equivariance.loading import loaded
from equivariance.models import Classifier, build
from equivariance.train import Examples, Report, evaluate, fit, unheard

if TYPE_CHECKING:
    from equivariance.experiments.data_efficiency.config import DataEfficiencyRun


def run(config: DataEfficiencyRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a classifier on a subset and tests it; all variants of a seed see the same pictures at the same places.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `accuracy` of test pictures, in [0, 1], and their `loss`, in nats; `pictures` trained on, of `classes`;
        `updates` of the weights; `gmacs`, 10⁹ multiply-adds an image; `parameters`; `map`, entries a side of what is
        pooled; `margin`, pixels around the image; `n`, test pictures. The file pictures.txt names what was trained on.
    Raises: UserError: pictures that cannot be had, or fewer than asked for. NotFinite: training diverges.
    """
    per_class = config.data.per_class  # type: ignore[attr-defined]
    splits = load(config.data, look=per_class is None)  # few pictures: no more files are read than are trained on
    chosen = subset(splits["train"], per_class, config.seed)
    control = matched(config)
    margin = max(control.margins, default=0)
    scene = Backdrop.of(config.arch, config.experiment.canvas + 2 * margin, config.experiment.background)
    classes = splits["train"].classes
    arch = network(config, control.width)
    model = build(arch, config.init, config.conv.rule, "avg", config.seed, len(classes))
    model.feature_map.background, model.feature_map.kept = scene.colour, control.kept
    model.to(device)
    train = _examples(config, splits, "train", scene, config.seed, device, chosen, config.data.augment)
    held_out = {
        name: _examples(config, splits, name, scene, config.data.seed, device, torch.arange(len(splits[name])))
        for name in ("validation", "test")
    }
    selection, optim = config.experiment.selection, config.optim
    recipe = lasting(model, len(train), optim, config.seed, device, scene.side, best=selection != "last")
    history = fit(model, train, held_out["test" if selection == "test" else "validation"], recipe, report)
    if config.experiment.statistics == "split":
        batch_statistics.measure(model, train, optim.batch)
    told = evaluate(model, held_out["test"], optim.batch)
    names = [splits["train"].names[number] for number in chosen.tolist()]
    metrics = {
        "accuracy": told.accuracy,
        "loss": told.loss,
        "n": float(told.n),
        "pictures": float(len(names)),
        "classes": float(len(classes)),
        "updates": float(optim.updates or optim.epochs * ceil(len(names) / optim.batch)),  # type: ignore[attr-defined]
        "margin": float(margin),
        **_size(model, scene),
    }
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    files = {"pictures.txt": "".join(f"{name}\n" for name in names).encode()}
    right = {"accuracy": digits([told.right.cpu()])}
    return Result(metrics, history, weights, _notes(splits, names), files, right=right)


def _examples(
    config: DataEfficiencyRun,
    splits: dict[str, Labelled],
    name: str,
    scene: Backdrop,
    seed: int,
    device: torch.device,
    chosen: Tensor,
    augment: str = "none",
) -> Examples:
    """Some pictures of a split, each at its place."""
    experiment, side, split = config.experiment, config.data.side, splits[name]
    turns = split.turn(torch.arange(len(split)))
    moved = places(name, int(turns[-1]) + 1, experiment.canvas - side, experiment.placement, seed)[turns]

    def drawn(numbers: Tensor, epoch: int) -> Tensor:
        own = chosen[numbers]
        return scene.images(augmented(split, own, augment, side, config.seed, epoch), moved[own])

    return loaded(split.labels[chosen], drawn, device, getattr(config.data, "workers", 0))


def _size(model: Classifier, scene: Backdrop) -> dict[str, float]:
    image = torch.zeros(1, 3, scene.side, scene.side)
    device = next(model.parameters()).device
    with torch.inference_mode():
        pooled = model.feature_map(image.to(device)).shape[-1]
    return {
        "gmacs": work(model, image.to("meta")).multiply_adds / 1e9,
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "map": float(pooled),
    }


def _notes(splits: dict[str, Labelled], names: list[str]) -> dict[str, str]:
    skipped = "\n".join(line for split in splits.values() for line in split.skipped)
    return {"engine": "dense", "subset": digest(names)} | ({"skipped": skipped} if skipped else {})
