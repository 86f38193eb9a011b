"""What follows from a network's structure, whatever its weights; and the same network under another boundary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import nn

from equivariance import theory
from equivariance.boundary import STRIDED, Sampling
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap
from equivariance.reach import Pixels
from equivariance.registries import CONVS

AXES = ("space", "space+time")


class ReceptiveField(NamedTuple):
    """What a unit of the last feature map sees, in pixels along the rows.

    Args:
        field: from the first pixel it sees to the last, inclusive.
        stride: from one unit to the next; a fraction where there are more units than pixels.
    """

    field: int
    stride: Pixels


def receptive_field(model: nn.Module, channels: int = 3) -> ReceptiveField:
    """Receptive field and stride of a network's last feature map, from its structure alone.

    Not for: networks with attention over the map, whose units see everything. Gates (squeeze-and-excitation) let every
    unit see the whole image too; the field is then what it sees through convolutions.

    Args:
        model: maps images [N, channels, H, W] to a feature map, or to what it makes of a global pool of one; of
            `with_conv`, too.
        channels: of the images.
    Raises: UserError: an operation whose reach is not known, named with its module.
    Source: field += (kernel - 1) * stride so far; Kayhan & van Gemert 2020, section 3.1.

    >>> from torchvision.models import resnet18
    >>> receptive_field(resnet18())
    ReceptiveField(field=435, stride=32)
    """
    with evaluating(model):
        return ReceptiveField(*theory.receptive_field(structural(model).network, channels=channels))


def certified_border(model: nn.Module, picture: int = 56, canvas: int = 120, channels: int = 3) -> int | None:
    """The border from which on a network provably cannot tell two places of a picture apart, whatever its weights.

    The places are the upper left and the bottom right of a canvas with that border of empty pixels on each side. Not
    for: a network that pools into bins or flattens its map, which knows places by construction; one that is built
    otherwise on images of other sizes, of which not every border is tried.

    Args:
        model: as in `receptive_field`; of `with_conv`, too.
        picture: pixels a side.
        canvas: pixels a side, without the border; canvas - picture is how far the places are apart.
        channels: of the images.
    Returns: Pixels; None where there is no such border: places out of phase with the stride, unless it samples by
        `polyphase`; an operation whose reach is not known (`receptive_field` names it).
    Source: Kayhan & van Gemert 2020, section 3.1, made exact.

    >>> from torchvision.models import resnet18
    >>> certified_border(resnet18()), certified_border(with_conv(resnet18(), "unbounded"))
    (433, 0)
    """
    network, edgeless, phaseless = structural(model)
    task = Quadrant(picture, canvas, 0, (0.0,) * channels)
    with evaluating(model):
        return theory.smallest_certified_border(
            network, task, edgeless=edgeless, channels=channels, phaseless=phaseless
        )


def with_conv(
    model: nn.Module,
    conv: str,
    background: tuple[float, ...] | None = None,
    downsample: str = "strided",
    size: int = 3,
    axes: str = "space+time",
) -> FeatureMap:
    """The same network, with the same weights, that meets the boundary, or samples, in another way.

    With `unbounded` and `polyphase` its pooled maps are the same wherever a picture lies on the endless background, to
    the pixel; crops of a larger scene show other things, for which nothing can be exact.

    Not for: networks trained otherwise whose accuracy should stay, since another boundary is another input to them; nor
    for networks that pool into bins or flatten their map, which are refused when they run.

    Args:
        model: maps images [N, C, H, W], sounds [N, C, T] or videos [N, C, T, H, W] to anything; shared, not copied.
        conv: one of CONVS: `same` (as published), `valid`, `full`, `unbounded`, `circular`, `reflect`, `replicate`,
            `partial`.
        background: float [C], the colour that `unbounded` continues around the images; None: zero.
        downsample: how every strided layer samples: `strided` (as published), `blur` (a binomial filter before the
            stride), or `polyphase` (for each image the phase of largest norm; on ordinary tensors alone).
        size: taps of the blur's filter, 1 to 7.
        axes: of videos, those that `conv` is about: `space+time`, or `space`, which leaves time as published.
    Returns: A module that takes the same images.
    Raises: UserError: an unknown `conv`, `downsample` or `axes`; when it runs, an operation that has no meaning there.

    >>> import torch
    >>> layer = with_conv(torch.nn.Conv2d(3, 4, 3, padding=1), "full")
    >>> layer(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 4, 10, 10])
    >>> from torchvision.models import resnet18
    >>> net = with_conv(resnet18().double().eval(), "unbounded", downsample="polyphase")
    >>> images, picture = torch.zeros(2, 3, 48, 48).double(), torch.rand(3, 16, 16).double()
    >>> images[0, :, 3:19, 5:21] = images[1, :, 24:40, 31:47] = picture
    >>> with torch.no_grad():
    ...     one, other = net(images)
    >>> torch.allclose(one, other, rtol=0, atol=1e-10)
    True
    """
    if conv not in CONVS.names():
        raise UserError(f"conv={conv}: allowed: {', '.join(CONVS.names())}")
    if axes not in AXES:
        raise UserError(f"axes={axes}: allowed: {', '.join(AXES)}")
    found = FeatureMap(model, conv, Sampling(downsample, size), axes)
    found.background = background
    found.train(model.training)
    return found


class Structural(NamedTuple):
    """A network as the reach reads it.

    Args:
        network: what is read.
        edgeless: whether no unit of the network itself sees an edge.
        phaseless: whether its pooled maps are the same for all phases of its stride.
    """

    network: nn.Module
    edgeless: bool
    phaseless: bool


def structural(model: nn.Module) -> Structural:
    """The network as the reach reads it: one without an edge grows like full convolution."""
    if not isinstance(model, FeatureMap) or model.conv != "unbounded":
        return Structural(model, False, False)
    phaseless = model.sampling.downsample == "polyphase"
    sampling = STRIDED if phaseless else model.sampling
    return Structural(FeatureMap(model.trunk, "full", sampling), True, phaseless)


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
