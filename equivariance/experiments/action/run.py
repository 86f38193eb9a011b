"""A run of action recognition: a 3-D network trained from scratch on clips, tested on clips and on whole videos.

Source: Kayhan & van Gemert 2020, section 4.2, on Hara et al. 2018 (arXiv 1711.09577).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.canvas.cost import work
from equivariance.data.clips import load
from equivariance.decoding import digits
from equivariance.experiments.action.clips import Central, Random
from equivariance.experiments.action.structure import certified, matched, network
from equivariance.experiments.controls import Matched
from equivariance.experiments.result import Result
from equivariance.loading import loaded
from equivariance.models.classifier import Classifier
from equivariance.models.video import build_video
from equivariance.recipes import computes_mixed
from equivariance.stopping import Falling
from equivariance.train import Recipe, Report, fit, score, shuffled, unheard
from sweeps import records

if TYPE_CHECKING:
    from equivariance.experiments.action.config import ActionRun


def run(config: ActionRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a network and tests it; all variants of a seed see the same clips.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `accuracy` of test clips and their `loss`; `video_accuracy`, by the mean of a video's clips' scores;
        `train_accuracy`, of clips of the middle of training videos, by the same final weights; `gap`, by how much it is
        more than `accuracy`; `alike`, where places mislead in the test: accuracy where they do not; all shares.
        `parameters`; `gmacs`, 10⁹ multiply-adds a clip; `n`, test clips. A run that theory certifies has neither
        `loss` nor a history.
    Raises: UserError: videos that cannot be had. NotFinite: training diverges.
    """
    control = matched(config)
    if certified(config):
        return _certain(config)
    sets = load(config.data)
    model = _model(config, control, len(sets["train"].classes))
    model.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    tested = {split: Central(config, films, device, control.margins) for split, films in sets.items()}
    random, began = Random(config, sets["train"], device, control.margins), time.perf_counter()
    train = loaded(sets["train"].labels, random, device, getattr(config.data, "workers", 0))
    recipe = _recipe(config, model, len(train), device)
    history = fit(model, train, tested["validation"].examples(), recipe, report)
    seconds = time.perf_counter() - began
    told = {split: tested[split].scores(model) for split in tested if split != "validation"}
    metrics, right = _measured(tested, told)
    metrics |= _size(config, model, control)
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    skipped = "\n".join(line for films in sets.values() for line in films.skipped)
    notes = {
        "engine": "dense",
        "throughput": f"{len(random.epochs) * len(train) / seconds:.3g} training clips a second",
    }
    notes |= {"skipped": skipped} if skipped else {}
    files = {"curve.csv": records.table(history).encode()}
    return Result(metrics, history, weights, notes, files, right={"accuracy": digits([right])})


def _certain(config: ActionRun) -> Result:
    """What theory says without computing: early and late are told by chance, in training too."""
    half = dict.fromkeys(("accuracy", "video_accuracy", "train_accuracy"), 0.5)
    size = _size(config, _model(config, Matched(), 2), Matched())
    n = float(config.data.test)  # type: ignore[attr-defined]
    return Result({**half, "gap": 0.0, "n": n, **size}, [], {}, {"certified": "yes"})


def _model(config: ActionRun, control: Matched, classes: int) -> Classifier:
    arch, conv, released = network(config, control.width), config.conv, config.protocol == "released"
    model = build_video(arch, conv.rule, conv.axes, config.seed, classes, released)
    model.feature_map.kept = control.kept
    if getattr(config.data, "event", "whole") == "class":  # blank time is black
        mean, std = torch.tensor(config.arch.mean), torch.tensor(config.arch.std)
        model.feature_map.background = tuple((-mean / std).tolist())
    return model


def _recipe(config: ActionRun, model: nn.Module, count: int, device: torch.device) -> Recipe:
    optim = config.optim
    mixed = computes_mixed(optim.precision, device)
    torch.manual_seed(config.seed)  # of dropout, where there is any
    optimiser = torch.optim.SGD(model.parameters(), optim.lr, optim.momentum, optim.dampening, optim.weight_decay)
    rule = Falling(optim.patience, optim.factor)
    order = shuffled(count, config.seed)
    return Recipe(
        *(optimiser, rule, optim.epochs, optim.batch, order, model.train),
        micro=optim.micro_batch,
        mixed=mixed,
        resumes=True,
    )


def _measured(tested: dict[str, Central], told: dict[str, Tensor]) -> tuple[dict[str, float], Tensor]:
    scored = {split: score(scores, tested[split].labels) for split, scores in told.items()}
    test = tested["test"]
    videos = torch.zeros(len(test.films), told["test"].shape[1], dtype=torch.float64)
    videos.index_add_(0, test.videos, F.softmax(told["test"], 1))
    accuracy, train = scored["test"].accuracy, scored["train"].accuracy
    metrics = {
        "accuracy": accuracy,
        "video_accuracy": score(videos, test.films.labels).accuracy,
        "loss": scored["test"].loss,
        "train_accuracy": train,
        "gap": train - accuracy,
        "n": float(len(test.clips)),
    }
    return metrics | ({"alike": scored["alike"].accuracy} if "alike" in scored else {}), scored["test"].right


def _size(config: ActionRun, model: Classifier, control: Matched) -> dict[str, float]:
    data = config.data
    around = [2 * margin for margin in control.margins] or [0, 0, 0]
    sides = (side + more for side, more in zip((data.length, data.side, data.side), around, strict=True))
    clips = torch.zeros(1, 3, *sides, device="meta")
    model.eval()
    return {
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "gmacs": work(model, clips).multiply_adds / 1e9,
    }
