"""Published networks as they are, classifier included, under another boundary or sampling: nothing is trained.

Changing the boundary of a network that was trained with another is a distribution shift: its accuracy falls for that
reason too, so the unchanged network's stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from equivariance.boundary import Sampling
from equivariance.models import FeatureMap, pretrained

if TYPE_CHECKING:
    from torch import Tensor

    from equivariance.experiments.shift.config import ShiftRun

NOTE = "boundary or sampling changed without training anew: to these weights another input, a distribution shift"


def network(config: ShiftRun, colour: tuple[float, ...], device: torch.device) -> FeatureMap:
    """The whole network with its published weights, under the run's boundary and sampling; to class scores.

    Args:
        config: the run.
        colour: what lies around the images.
        device: where it goes.
    """
    sampling = Sampling(config.downsample.name, config.downsample.size)
    found = pretrained(config.arch, config.init, config.conv.rule, sampling)
    found.background = colour
    return found.to(device).eval()


def unchanged(config: ShiftRun, device: torch.device) -> FeatureMap:
    """The same as it was published."""
    return pretrained(config.arch, config.init, "same").to(device).eval()


def note(config: ShiftRun) -> dict[str, str]:
    """What is to be said of a run whose network is not as it was published."""
    unmodified = (config.conv.name, config.downsample.name) == ("same", "strided")
    return {} if unmodified else {"boundary": NOTE}


def compared(scores: Tensor, unchanged: Tensor, labels: Tensor) -> dict[str, float]:
    """How the network does beside the unchanged one, on the same pictures in the middle.

    Args:
        scores: [n, classes].
        unchanged: those of the network as it was published.
        labels: int64 [n].
    Returns: `accuracy_unchanged`, and `agreement`, the share of pictures of which both say the same; in [0, 1].
    """
    told, before = scores.argmax(1), unchanged.argmax(1)
    return {
        "accuracy_unchanged": (before == labels).double().mean().item(),
        "agreement": (told == before).double().mean().item(),
    }
