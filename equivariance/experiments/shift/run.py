"""A run of the shift experiment: trained on centred objects, asked again where they have moved.

Source: Kayhan & van Gemert 2020, section 4.1; objects on a background, where shifts are exact, are this project's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance import batch_statistics
from equivariance.boundary import Sampling
from equivariance.config.training import Scheduled
from equivariance.data.backdrop import Backdrop
from equivariance.data.labelled import Labelled, augmented, load
from equivariance.data.labelled.outputs import labels as labels_of
from equivariance.experiments.result import Result
from equivariance.experiments.shift import published
from equivariance.experiments.shift.crops import Crops
from equivariance.experiments.shift.measure import BATCH, measured
from equivariance.loading import loaded
from equivariance.models import Classifier, FeatureMap, build
from equivariance.recipes import refuse_alone, scheduled
from equivariance.train import Examples, Report, Row, fit, unheard

if TYPE_CHECKING:
    from equivariance.experiments.shift.config import ShiftRun

# What lays pictures out: objects on an empty canvas, or crops of pictures that fill the image.
Scene = Backdrop | Crops
MIDDLE = torch.zeros(1, 2, dtype=torch.int64)
IMAGENET = 1000  # outputs of the authors' unmodified ResNets, whatever the classes


def run(config: ShiftRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains or takes a classifier and measures its predictions at other places, the same for all variants of a seed.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `accuracy` of test pictures in the middle; `accuracy_moved`, of those moved at random; `consistency`, the
        share of pairs of places of one picture at which the prediction is the same; `one_pixel`, that of the middle and
        a random neighbour; `one_pixel_worst`, the share of pictures whose prediction none of the eight neighbours
        changes; `circular`, as `consistency`, of images rolled around by up to all of their side; `diagonal_0` …, the
        accuracy at each place of the diagonal, and `diagonal`, their mean; all in [0, 1]. Of published weights also
        `accuracy_unchanged` and `agreement`.
    Raises: UserError: images or weights that cannot be had, or do not belong together. NotFinite: training diverges.
    """
    splits = load(config.data)
    scene = _scene(config)
    if config.init.name == "frozen-pretrained":
        return _taken(config, splits, scene, device)
    model = _model(config, scene, device, len(splits["train"].classes))
    history = _trained(config, model, splits, scene, device, report)

    def predict(moved: Tensor, rolled: Tensor | None = None) -> Tensor:
        return _predicted(model, scene, splits["test"], moved, rolled, device)

    metrics, right = measured(config.experiment, config.seed, predict, splits["test"].labels)
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    return Result(metrics, history, weights, _notes(splits), right=right)


def _scene(config: ShiftRun) -> Scene:
    experiment = config.experiment
    if experiment.background == "none":
        return Crops.of(config)
    return Backdrop.of(config.arch, experiment.canvas, experiment.background)


def _taken(config: ShiftRun, splits: dict[str, Labelled], scene: Scene, device: torch.device) -> Result:
    """A published network as it is: measured, beside the unchanged one."""
    test = splits["test"]
    model, unchanged = published.network(config, scene.colour, device), published.unchanged(config, device)

    def predict(moved: Tensor, rolled: Tensor | None = None) -> Tensor:
        return _predicted(model, scene, test, moved, rolled, device)

    middle = MIDDLE.expand(len(test), 2)
    before = _predicted(unchanged, scene, test, middle, None, device)
    outputs = before.shape[1] if before.dim() == 2 else 0  # 0: it ends in a map
    labels = labels_of(test, outputs, config.experiment.order, config.arch.name)
    metrics, right = measured(config.experiment, config.seed, predict, labels)
    beside = published.compared(predict(middle), before, labels)
    return Result(metrics | beside, [], {}, _notes(splits) | published.note(config), right=right)


def _notes(splits: dict[str, Labelled]) -> dict[str, str]:
    skipped = "\n".join(line for split in splits.values() for line in split.skipped)
    return {"engine": "dense"} | ({"skipped": skipped} if skipped else {})


def _trained(
    config: ShiftRun,
    model: Classifier,
    splits: dict[str, Labelled],
    scene: Scene,
    device: torch.device,
    report: Report,
) -> list[Row]:
    """Trains on pictures in the middle and leaves the model in eval mode."""
    data, side = config.data, min(config.data.side, config.experiment.canvas)  # what is seen of a picture

    def examples(name: str) -> Examples:
        split, augment = splits[name], data.augment if name == "train" else "none"

        def drawn(chosen: Tensor, epoch: int) -> Tensor:
            pixels = augmented(split, chosen, augment, side, config.seed, epoch)
            return scene.images(pixels, MIDDLE.expand(len(chosen), 2))

        return loaded(split.labels, drawn, device, getattr(data, "workers", 0))

    assert isinstance(config.optim, Scheduled)  # the config's cross-check: with weights that are trained
    train, validation = (examples(name) for name in ("train", "validation"))
    recipe = scheduled(model, len(train), config.optim, config.seed, device)
    batch = min(config.optim.batch, len(train))
    image = torch.zeros(1, 3, config.experiment.canvas, config.experiment.canvas, device=device)
    refuse_alone(model, {batch, len(train) % batch or batch}, config.optim, image)
    history = fit(model, train, validation, recipe, report)
    model.eval()
    if config.experiment.statistics == "split":
        batch_statistics.measure(model, train, config.optim.batch)
    return history


def _model(config: ShiftRun, scene: Scene, device: torch.device, classes: int) -> Classifier:
    sampling = Sampling(config.downsample.name, config.downsample.size)
    unmodified = (config.conv.name, config.downsample.name) == ("same", "strided")
    if config.experiment.outputs == "released" and unmodified:
        classes = max(classes, IMAGENET)
    model = build(config.arch, config.init, config.conv.rule, "avg", config.seed, classes, sampling)
    model.feature_map.background = scene.colour
    return model.to(device)


def _predicted(
    model: Classifier | FeatureMap,
    scene: Scene,
    test: Labelled,
    moved: Tensor,
    rolled: Tensor | None,
    device: torch.device,
) -> Tensor:
    """Class scores [n, classes] of test pictures moved by [n, 2], and then the images rolled around by [n, 2]."""
    found = []
    with torch.inference_mode():
        for chosen in torch.arange(len(test.labels)).split(BATCH):
            images = scene.images(test.pixels[chosen], moved[chosen])
            if rolled is not None:
                turned = zip(images, rolled[chosen].tolist(), strict=True)
                images = torch.stack([image.roll(tuple(by), (1, 2)) for image, by in turned])
            found.append(model(images.to(device)).cpu())
    return torch.cat(found)
