"""The pictures that an audit shows to its network, and what is right for each where they have classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from equivariance.config.data import Pictures
from equivariance.data import load_pictures
from equivariance.data.labelled import load
from equivariance.data.labelled.outputs import labels
from equivariance.library.structure import evaluating

if TYPE_CHECKING:
    from equivariance.experiments.audit.config import AuditRun


@dataclass(frozen=True)
class Shown:
    """Test pictures of a data set.

    Args:
        pictures: float [n, 3, side, side], normalised as the network takes them; None: none are shown.
        labels: the right output of each, int64 [n]; None: they have no classes.
        notes: what is to be said of them.
    """

    pictures: Tensor | None = None
    labels: Tensor | None = None
    notes: dict[str, str] = field(default_factory=dict)


def show(config: AuditRun, network: nn.Module) -> Shown:
    """The test pictures of the run's data set.

    Args:
        config: the run.
        network: whose outputs the classes are.
    Raises: UserError: pictures that cannot be had, or classes of which it is not known which output tells them.
    """
    arch = config.arch
    if isinstance(config.data, Pictures):
        found = load_pictures(config.data, config.experiment.side)
        return Shown(found.tensor("test", arch.mean, arch.std), None, _skipped(found.skipped))
    test = load(config.data)["test"]
    mean, std = (torch.tensor(values)[:, None, None] for values in (arch.mean, arch.std))
    pictures = (test.pixels[torch.arange(len(test))] - mean) / std
    outputs = _outputs(network, config.experiment.input_size)
    right = test.labels if outputs is None else labels(test, outputs, config.experiment.order, arch.name)
    return Shown(pictures, right, _skipped(test.skipped))


def _skipped(lines: list[str]) -> dict[str, str]:
    return {"skipped": "\n".join(lines)} if lines else {}


def _outputs(network: nn.Module, side: int) -> int | None:
    """How many classes a network tells; None where it tells none, of which the report says why."""
    weights = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    try:
        with evaluating(network), torch.no_grad():
            scores = network(weights.new_zeros(1, 3, side, side))
    except Exception:  # other people's code: it may fail in any way, and fails again where it is asked
        return None
    return scores.shape[1] if isinstance(scores, Tensor) and scores.dim() == 2 else None
