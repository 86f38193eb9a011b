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
        `parameters`; `gmacs`, 10⁹ multiply-adds a clip; `n`, test clips.
    Raises: UserError: videos that cannot be had. NotFinite: training diverges.
    """
    sets = load(config.data)
    classes, released = len(sets["train"].classes), config.protocol == "released"
    model = build_video(config.arch, config.conv.rule, config.conv.axes, config.seed, classes, released).to(device)
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    tested = {split: Central(config, films, device) for split, films in sets.items()}
    random, began = Random(config, sets["train"], device), time.perf_counter()
    train = loaded(sets["train"].labels, random, device, getattr(config.data, "workers", 0))
    recipe = _recipe(config, model, len(train), device)
    history = fit(model, train, tested["validation"].examples(), recipe, report)
    seconds = time.perf_counter() - began
    told = {split: tested[split].scores(model) for split in tested if split != "validation"}
    metrics, right = _measured(tested, told)
    metrics |= _size(config, model)
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    skipped = "\n".join(line for films in sets.values() for line in films.skipped)
    notes = {
        "engine": "dense",
        "throughput": f"{len(random.epochs) * len(train) / seconds:.3g} training clips a second",
    }
    notes |= {"skipped": skipped} if skipped else {}
    files = {"curve.csv": records.table(history).encode()}
    return Result(metrics, history, weights, notes, files, right={"accuracy": digits([right])})


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


def _size(config: ActionRun, model: Classifier) -> dict[str, float]:
    clips = torch.zeros(1, 3, config.data.frames, config.data.side, config.data.side, device="meta")
    model.eval()
    return {
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "gmacs": work(model, clips).multiply_adds / 1e9,
    }
