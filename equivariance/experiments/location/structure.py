"""What follows from a network's structure alone, without weights or pictures: certificate, bound, cost."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance import theory
from equivariance.boundary import STRIDED, Sampling
from equivariance.canvas import work
from equivariance.data.quadrant import Quadrant, normalised
from equivariance.errors import UserError
from equivariance.models import FeatureMap, hollow

if TYPE_CHECKING:
    from equivariance.config import Arch
    from equivariance.experiments.location.config import LocationRun

# Structures that a process keeps for the runs to come: making one takes longest.
KEPT = 64


def place(config: LocationRun) -> Quadrant:
    """The geometry of a run's images."""
    experiment, arch = config.experiment, config.arch
    border = config.border if experiment.border_as == "pixels" else 0
    background = normalised(experiment.background, arch.mean, arch.std)
    return Quadrant(experiment.picture, experiment.canvas, border, background, config.tolerance)


def sampled(config: LocationRun) -> Sampling:
    """How a run's strided layers sample."""
    return Sampling(config.downsample.name, config.downsample.size)


class Structure:
    """A network without weights, under one convolution type and sampling.

    Args:
        arch: the network.
        rule: the convolution type.
        sampling: how strided layers sample.
        padding: pixels of a border that is added as the first convolution's padding.
    Raises: UserError: unknown network.
    """

    def __init__(self, arch: Arch, rule: str, sampling: Sampling, padding: int) -> None:
        self.of = (arch, rule, sampling, padding)
        # `unbounded` grows like full convolution, only that nothing lies beyond an edge.
        self.edgeless = rule == "unbounded"
        self.polyphase = sampling.downsample == "polyphase"
        # Where no edge decides between phases, the content does, and maps at any phase are those at each.
        self.phaseless = self.edgeless and self.polyphase
        kept = STRIDED if self.phaseless else sampling
        self.network: FeatureMap = hollow(arch, "full" if self.edgeless else rule, kept).eval()
        move_border_into_padding(self.network, padding)
        self.certified = cache(self._certified)
        self.bound = cache(self._bound)
        self.gmacs = cache(self._gmacs)

    def _certified(self, task: Quadrant) -> bool:
        """Whether theory alone says 50 %: no weights could do better, so nothing needs training."""
        return theory.certified(self.network, task, self.edgeless, phaseless=self.phaseless)

    def _bound(self, task: Quadrant) -> int | None:
        """The border in pixels from which on every run is certified, whatever the task's; None: theory knows none."""
        return theory.smallest_certified_border(self.network, task, edgeless=self.edgeless, phaseless=self.phaseless)

    def _gmacs(self, task: Quadrant) -> float | None:
        """Multiply-adds, in 10⁹, of one image's plain dense forward pass up to the last feature map.

        None: not known, of a network that looks at numbers to decide what it computes, as each does under `polyphase`.
        """
        if self.polyphase:
            return None
        image = torch.empty(1, 3, task.side, task.side, device="meta")
        try:
            return work(self.network, image).multiply_adds / 1e9
        except RuntimeError:
            return None


_structures: list[Structure] = []


def structure(config: LocationRun) -> Structure:
    """The structure of a run's network; runs that differ in pixels of border alone share it."""
    padding = config.border if config.experiment.border_as == "padding" else 0
    of = (config.arch, config.conv.rule, sampled(config), padding)
    found = next((known for known in _structures if known.of == of), None)
    if found is None:
        found = Structure(*of)
        _structures[:] = [*_structures[-KEPT + 1 :], found]
    return found


def move_border_into_padding(model: nn.Module, border: int) -> None:
    """The released way to add a border: as the padding of the first convolution; 0 leaves it.

    Raises: UserError: that one does not pad with zeros.
    """
    if border:
        first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        if first.padding_mode != "zeros":
            raise UserError(f"experiment.border_as=padding: the network pads by {first.padding_mode}; allowed: pixels")
        first.padding = (border, border)
