"""What follows from a run's structure alone, without weights or pictures: geometry, certificate, bound, cost."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance import theory
from equivariance.canvas import work
from equivariance.data.quadrant import Quadrant, normalised
from equivariance.errors import UserError
from equivariance.models import hollow

if TYPE_CHECKING:
    from equivariance.config import LocationConfig
    from equivariance.models.classifier import FeatureMap

# What decides a structure: architecture as JSON, convolution type, how a border is added.
Shape = tuple[str, str, str]


def place(config: LocationConfig) -> Quadrant:
    """The geometry of a run's images."""
    experiment, arch = config.experiment, config.arch
    border = config.border if experiment.border_as == "pixels" else 0
    background = normalised(experiment.background, arch.mean, arch.std)
    return Quadrant(experiment.picture, experiment.canvas, border, background, config.tolerance)


def certified(config: LocationConfig) -> bool:
    """Whether theory alone says 50 %: no weights could do better, so nothing needs training."""
    return _certified(_shape(config), config.border, place(config))


def bound(config: LocationConfig) -> int | None:
    """The border in pixels from which on every run is certified; None: theory knows none.

    Args:
        config: its border is ignored; its borders are pixels.
    """
    return _bound(_shape(config), place(config).bare())


def gmacs(config: LocationConfig) -> float:
    """Multiply-adds, in 10⁹, of one image's plain dense forward pass up to the last feature map."""
    return _gmacs(_shape(config), config.border, place(config))


def move_border_into_padding(model: nn.Module, border_as: str, border: int) -> None:
    """The released way to add a border: as the padding of the first convolution; 0 leaves it.

    Raises: UserError: that one does not pad with zeros.
    """
    if border_as == "padding" and border:
        first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        if first.padding_mode != "zeros":
            raise UserError(f"experiment.border_as=padding: the network pads by {first.padding_mode}; allowed: pixels")
        first.padding = (border, border)


@lru_cache(4096)
def _certified(shape: Shape, border: int, task: Quadrant) -> bool:
    return theory.certified(_model(shape, border), task, _edgeless(shape))


@lru_cache(1024)
def _bound(shape: Shape, task: Quadrant) -> int | None:
    return theory.smallest_certified_border(_model(shape, 0), task, edgeless=_edgeless(shape))


@lru_cache(4096)
def _gmacs(shape: Shape, border: int, task: Quadrant) -> float:
    image = torch.empty(1, 3, task.side, task.side, device="meta")
    return work(_model(shape, border), image).multiply_adds / 1e9


def _shape(config: LocationConfig) -> Shape:
    return config.arch.model_dump_json(), config.conv.rule, config.experiment.border_as


def _edgeless(shape: Shape) -> bool:
    return shape[1] == "unbounded"


def _model(shape: Shape, border: int) -> FeatureMap:
    """A network without weights; runs that differ in pixels of border alone share it, for making it takes longest."""
    return _made(shape, border if shape[2] == "padding" else 0)


@lru_cache(64)
def _made(shape: Shape, border: int) -> FeatureMap:
    """`unbounded` grows like full convolution, only that nothing lies beyond an edge."""
    from equivariance.config import Arch

    arch, _, border_as = shape
    model = hollow(Arch.model_validate_json(arch), "full" if _edgeless(shape) else shape[1]).eval()
    move_border_into_padding(model, border_as, border)
    return model
