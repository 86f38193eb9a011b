"""A run of patch matching: descriptors learnt from so many triplets, and how often they take strangers for matches.

Source: Kayhan & van Gemert 2020, section 4.2; HardNet: Mishchuk et al. 2017 (arXiv 1705.10872).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.canvas.cost import work
from equivariance.experiments.patch_matching.fpr import fpr95, redrawn
from equivariance.experiments.patch_matching.hardest import HardestInBatch, distances, triplet
from equivariance.experiments.patch_matching.patches import PairSet, Patches, triplets
from equivariance.experiments.patch_matching.sets import load
from equivariance.experiments.result import Result
from equivariance.finite import finite
from equivariance.models.hardnet import SIDE, HardNet
from equivariance.stopping import Fixed
from equivariance.train import Examples, Recipe, Report, fit, unheard
from sweeps.terminal import track

if TYPE_CHECKING:
    from equivariance.experiments.patch_matching.config import Linear, PatchMatchingRun

PAIRS = 1024  # tested at once


def run(config: PatchMatchingRun, device: torch.device, report: Report = unheard) -> Result:
    """Trains a descriptor and tests it on pairs of patches; all variants of a seed see the same triplets and pairs.

    The validation loss of the history is that of one batch of points that are not trained on; nothing is chosen by it.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: told each epoch's row.
    Returns: `fpr95`, in [0, 1], the mean over the sets that are tested on, and `fpr95_<set>` of each; `descriptor`,
        numbers; `parameters` that are trained; `gmacs`, 10⁹ multiply-adds a patch; `n`, points that are tested on.
        `redrawn` has `fpr95` when those points are drawn anew.
    Raises: UserError: data that cannot be had, or fewer than asked for; a map too small for the head. NotFinite:
        training diverges.
    """
    experiment, optim = config.experiment, config.optim
    sets = load(config.data)
    anew, aside = triplets(sets.train, experiment.triplets, optim.batch, config.seed)
    torch.manual_seed(config.seed)  # of weights and dropout
    network = HardNet(config.conv.rule, experiment.head, config.arch.dropout, config.arch.gain).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU
    tensors = partial(_tensors, mean=config.arch.mean, std=config.arch.std, device=device)
    train, validation = (_examples(sets.train, pairs, tensors, device) for pairs in (anew, aside))
    history = fit(HardestInBatch(network), train, validation, _recipe(config, network), report)
    apart = {name: _apart(network, test, tensors, name) for name, test in sets.tests.items()}
    found = {name: fpr95(apart[name], np.equal(*test.points.T)) for name, test in sets.tests.items()}
    draws = [redrawn(apart[name], test.points) for name, test in sets.tests.items()]
    metrics = {"fpr95": float(np.mean(list(found.values())))}
    metrics |= {f"fpr95_{name}": value for name, value in found.items()}
    metrics |= _size(network) | {"n": float(sum(len(np.unique(test.points)) for test in sets.tests.values()))}
    weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    anew_mean = [round(float(value), 6) for value in np.mean(draws, 0)]
    return Result(metrics, history, weights, {"engine": "dense"}, redrawn={"fpr95": anew_mean})


def _examples(patches: Patches, pairs: np.ndarray, tensors: Callable[..., Tensor], device: torch.device) -> Examples:
    """Pairs as a two-class network has its examples: the first score should be the highest."""
    return Examples(
        torch.zeros(len(pairs), dtype=torch.int64, device=device),
        lambda chosen: tensors(patches.pixels[pairs[chosen.cpu().numpy()]]),
    )


def _tensors(pixels: np.ndarray, mean: float, std: float, device: torch.device) -> Tensor:
    """Normalised, float [..., 1, s, s] of uint8 [..., s, s]."""
    scaled = torch.from_numpy(pixels).to(device).to(torch.get_default_dtype()) / 255
    return ((scaled - mean) / std).unsqueeze(-3)


def _recipe(config: PatchMatchingRun, network: HardNet) -> Recipe:
    """SGD, triplets in the order in which they were drawn: batches are then of different points."""
    optim, number = config.optim, config.experiment.triplets
    optimiser = torch.optim.SGD(network.parameters(), optim.lr, optim.momentum, optim.dampening, optim.weight_decay)
    _fall(optimiser, optim, -(-number // optim.batch) * optim.epochs)
    loss = partial(triplet, margin=config.experiment.margin)
    return Recipe(optimiser, Fixed(), optim.epochs, optim.batch, partial(torch.arange, number), network.train, loss)


def _fall(optimiser: torch.optim.Optimizer, optim: Linear, steps: int) -> None:
    """Has the learning rate fall linearly to 0 at the last step."""
    done = count(1)

    def after(*_: Any) -> None:
        rate = optim.lr * (1 - next(done) / steps)
        for group in optimiser.param_groups:
            group["lr"] = rate

    optimiser.register_step_post_hook(after)


def _apart(network: nn.Module, test: PairSet, tensors: Callable[..., Tensor], name: str) -> np.ndarray:
    """The distances of the descriptors of each pair, float [pairs]."""
    network.eval()
    chunks = [test.pairs[start : start + PAIRS] for start in range(0, len(test.pairs), PAIRS)]
    found = []
    with torch.inference_mode():
        for chunk in track(chunks, len(chunks), f"testing on {name}"):
            used, numbers = np.unique(chunk, return_inverse=True)
            some = torch.from_numpy(numbers.reshape(chunk.shape))
            parts = torch.from_numpy(used).split(PAIRS // 4)
            described = torch.cat([network(tensors(test.patches.pixels[part.numpy()])) for part in parts])
            one, other = (described[index.to(described.device)] for index in some.unbind(1))
            found.append(distances((one * other).sum(1)).cpu())
    return finite(torch.cat(found), "distances of test pairs").double().numpy()


def _size(network: HardNet) -> dict[str, float]:
    patch = torch.zeros(1, 1, SIDE, SIDE, device=next(network.parameters()).device)
    with torch.no_grad():
        descriptor = network(patch).shape[1]
    return {
        "descriptor": float(descriptor),
        "parameters": float(sum(p.numel() for p in network.parameters())),
        "gmacs": work(network, patch.to("meta")).multiply_adds / 1e9,
    }
