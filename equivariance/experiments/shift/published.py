"""Published networks as they are, classifier included, under another boundary or sampling: nothing is trained.

Changing the boundary of a network that was trained with another is a distribution shift: its accuracy falls for that
reason too, so the unchanged network's stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from equivariance.boundary import Sampling
from equivariance.errors import UserError
from equivariance.models import FeatureMap, whole

if TYPE_CHECKING:
    from torch import Tensor

    from equivariance.data.labelled import Labelled
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
    found = whole(config.arch, config.init, config.conv.rule, sampling)
    found.background = colour
    return found.to(device).eval()


def unchanged(config: ShiftRun, device: torch.device) -> FeatureMap:
    """The same as it was published."""
    return whole(config.arch, config.init, "same").to(device).eval()


def note(config: ShiftRun) -> dict[str, str]:
    """What is to be said of a run whose network is not as it was published."""
    unmodified = (config.conv.name, config.downsample.name) == ("same", "strided")
    return {} if unmodified else {"boundary": NOTE}


def labels(test: Labelled, outputs: int, order: list[str] | None, name: str) -> Tensor:
    """The output that is right for each test picture, int64 [n].

    Args:
        test: the pictures.
        outputs: of the network.
        order: the class that each output tells; None: those of the data, in their order.
        name: of the network.
    Raises: UserError: it is not known which output tells which class.
    """
    told = tuple(order or test.classes)
    if len(told) != outputs:
        raise UserError(
            f"init=frozen-pretrained: arch={name} has {outputs} outputs and {len(told)} classes are named; allowed:"
            " data with a folder for each class of the network, or experiment.order=FILE, a class a line"
        )
    missing = sorted(set(test.classes) - set(told))
    if missing:
        raise UserError(f"experiment.order: no {missing[0]}; allowed: names of which the data's classes are a part")
    return torch.tensor([told.index(c) for c in test.classes])[test.labels]


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
