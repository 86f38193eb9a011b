"""Impulse: what a filter with a single tap makes of a single bright pixel at the boundary.

Source: Kayhan & van Gemert 2020, figure 2: taps that never meet a pixel near the boundary tell where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance.experiments.impulse.images import images
from equivariance.experiments.result import Result
from equivariance.experiments.rook.network import rook
from equivariance.models.classifier import FeatureMap
from equivariance.train import Report, unheard

if TYPE_CHECKING:
    from equivariance.experiments.impulse.config import ImpulseRun


def run(config: ImpulseRun, device: torch.device, report: Report = unheard) -> Result:
    """Applies the filter to both images.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: not used: nothing is trained.
    Returns: `class_1` and `class_2`, the largest response to each image; `side`, of the feature map, in pixels;
        accuracy, 1 if the two differ and else 0.5. In `maps.csv` the responses: class, row, column, value.
    """
    maps = responses(config.conv.name, config.experiment.kernel, config.experiment.tap, config.data.side, device)
    one, two = maps.amax((1, 2)).tolist()
    metrics = {"accuracy": 0.5 if one == two else 1.0, "class_1": one, "class_2": two, "n": 2.0}
    metrics["side"] = float(maps.shape[-1])
    lines = ["class,row,column,value"]
    lines += [f"{c + 1},{y},{x},{maps[c, y, x].item():g}" for c, y, x in maps.cpu().nonzero().tolist()]
    return Result(metrics, [], {}, {}, {"maps.csv": ("\n".join(lines) + "\n").encode()})


def responses(conv: str, kernel: int, tap: str, side: int, device: torch.device) -> Tensor:
    """Feature maps [2, rows, columns] of both images (upper left, bottom right)."""
    layers = rook(kernel)
    place = {"top-left": 0, "centre": kernel // 2, "bottom-right": kernel - 1}[tap]
    with torch.no_grad():
        weight = next(layers.parameters()).zero_()
        weight[0, 0, place, place] = 1
        return FeatureMap(layers, conv).to(device)(images(side).to(device))[:, 0]
