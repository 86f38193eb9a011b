"""What follows from a network's structure, whatever its weights; and the same network under another boundary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import nn

from equivariance import theory
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.registries import CONVS


class ReceptiveField(NamedTuple):
    """What a unit of the last feature map sees, in pixels along the rows.

    Args:
        field: from the first pixel it sees to the last, inclusive.
        stride: from one unit to the next.
    """

    field: int
    stride: int


def receptive_field(model: nn.Module, channels: int = 3) -> ReceptiveField:
    """Receptive field and stride of a network's last feature map, from its structure alone.

    Not for: networks with attention over the map, whose units see everything. Gates (squeeze-and-excitation) let every
    unit see the whole image too; the field is then what it sees through convolutions.

    Args:
        model: maps images [N, channels, H, W] to a feature map, or to what it makes of a global pool of one.
        channels: of the images.
    Raises: UserError: an operation whose reach is not known, named with its module.
    Source: field += (kernel - 1) * stride so far; Kayhan & van Gemert 2020, section 3.1.

    >>> from torchvision.models import resnet18
    >>> receptive_field(resnet18())
    ReceptiveField(field=435, stride=32)
    """
    with evaluating(model):
        return ReceptiveField(*theory.receptive_field(model, channels=channels))


def certified_border(model: nn.Module, picture: int = 56, canvas: int = 120, channels: int = 3) -> int | None:
    """The border from which on a network provably cannot tell two places of a picture apart, whatever its weights.

    The places are the upper left and the bottom right of a canvas with that border of empty pixels on each side. Not
    for: a network that pools into bins or flattens its map, which knows places by construction.

    Args:
        model: as in `receptive_field`; of `with_conv`, too.
        picture: pixels a side.
        canvas: pixels a side, without the border; canvas - picture is how far the places are apart.
        channels: of the images.
    Returns: Pixels; None where there is no such border: places out of phase with the stride, or an operation whose
        reach is not known (`receptive_field` names it).
    Source: Kayhan & van Gemert 2020, section 3.1, made exact.

    >>> from torchvision.models import resnet18
    >>> certified_border(resnet18()), certified_border(with_conv(resnet18(), "unbounded"))
    (433, 0)
    """
    network, edgeless = structural(model)
    task = Quadrant(picture, canvas, 0, (0.0, 0.0, 0.0))
    with evaluating(model):
        return theory.smallest_certified_border(network, task, edgeless=edgeless, channels=channels)


def with_conv(model: nn.Module, conv: str, background: tuple[float, ...] | None = None) -> FeatureMap:
    """The same network, with the same weights, that meets the boundary in another way.

    Not for: networks trained otherwise whose accuracy should stay, since another boundary is another input to them; nor
    for networks that pool into bins or flatten their map, which are refused when they run.

    Args:
        model: maps images [N, C, H, W] to anything; shared, not copied.
        conv: one of CONVS: `same` (as published), `valid`, `full`, `unbounded`, `circular`, `reflect`, `replicate`,
            `partial`.
        background: float [C], the colour that `unbounded` continues around the images; None: zero.
    Returns: A module that takes the same images.
    Raises: UserError: an unknown `conv`; when it runs, an operation that has no meaning there.

    >>> import torch
    >>> layer = with_conv(torch.nn.Conv2d(3, 4, 3, padding=1), "full")
    >>> layer(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 4, 10, 10])
    """
    if conv not in CONVS.names():
        raise UserError(f"conv={conv}: allowed: {', '.join(CONVS.names())}")
    found = FeatureMap(model, conv)
    found.background = background
    found.train(model.training)
    return found


def structural(model: nn.Module) -> tuple[nn.Module, bool]:
    """The network as the reach reads it, and whether no unit of it sees an edge."""
    if isinstance(model, FeatureMap) and model.conv == "unbounded":  # grows like full, and nothing lies beyond an edge
        return FeatureMap(model.trunk, "full"), True
    return model, False


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and afterwards each module's own mode again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
