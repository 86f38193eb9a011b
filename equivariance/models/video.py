"""Networks for videos: trunk, pooling over time and space, and a linear head, meeting the boundary in a stated way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance.errors import UserError
from equivariance.models.classifier import Classifier, FeatureMap
from equivariance.models.resnet3d import BLOCKS, resnet3d
from equivariance.models.trunk import Trunk

if TYPE_CHECKING:
    from equivariance.config.video import VideoArch

# torchvision's convolutional ones; its others are transformers.
TORCHVISION = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d")
PROBE = (16, 32, 32)  # frames, rows and columns of a blank video


def build_video(arch: VideoArch, conv: str, axes: str, seed: int, classes: int, released: bool = False) -> Classifier:
    """A classifier of videos, with random weights.

    Args:
        arch: library, name and, of this project's networks, width and time stride.
        conv: how the network meets the boundary, a convolution type.
        axes: those that the type is about, `space` or `space+time`.
        seed: of the random weights.
        classes: width of the head.
        released: as the authors have it, which decides the stem's time stride where `arch` does not.
    Returns: Maps videos [N, 3, T, H, W] to class scores [N, classes]; on the CPU, in train mode.
    Raises: UserError: unknown network.
    Source: Kayhan & van Gemert 2020, section 4.2, on Hara et al. 2018.
    """
    torch.manual_seed(seed)
    body = _trunk(arch, axes, released)
    body.channels = _channels(body)
    torch.manual_seed(seed)
    return Classifier(body, conv, "avg", classes, axes=axes)


def hollow_video(arch: VideoArch, conv: str, axes: str, released: bool = False) -> FeatureMap:
    """A network without weights, for what follows from its structure alone; arguments and errors as `build_video`."""
    with torch.device("meta"):
        return FeatureMap(_trunk(arch, axes, released), conv, axes=axes)


def _trunk(arch: VideoArch, axes: str, released: bool) -> Trunk:
    return _torchvision(arch.name) if arch.library == "torchvision_video" else _bundled(arch, axes, released)


def _channels(body: nn.Module) -> int:
    """Those of a trunk's feature map, as a blank video tells."""
    body.eval()
    with torch.no_grad():
        found = body(torch.zeros(1, 3, *PROBE)).shape[1]
    body.train()
    return found


def _bundled(arch: VideoArch, axes: str, released: bool) -> Trunk:
    if arch.name not in BLOCKS:
        raise UserError(f"arch.name={arch.name}: allowed: {', '.join(BLOCKS)}")
    # The released F-temporal networks, and they alone, have a stem of stride 2 along time.
    stride = arch.time_stride or (2 if released and axes == "space+time" else 1)
    network = resnet3d(arch.name, arch.width or 64, stride)
    return Trunk(network, network)


def _torchvision(name: str) -> Trunk:
    from torchvision.models import video

    if name not in TORCHVISION:
        raise UserError(f"arch.name={name}: allowed: {', '.join(TORCHVISION)}")
    network = getattr(video, name)(weights=None)
    before = [child for part, child in network.named_children() if part not in ("avgpool", "fc", "classifier")]
    return Trunk(network, nn.Sequential(*before))
