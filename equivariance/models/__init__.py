"""build(arch, init, conv): any classification network, initialised, meeting the boundary in a stated way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance.boundary import STRIDED, Sampling
from equivariance.errors import UserError
from equivariance.models.classifier import Classifier, FeatureMap
from equivariance.models.trunk import Trunk, trunk
from equivariance.models.weights import load_checkpoint, load_pretrained, read_checkpoint

if TYPE_CHECKING:
    from equivariance.config import Arch, Init

__all__ = ["Classifier", "FeatureMap", "build", "check_checkpoint", "hollow", "train_mode", "whole"]


def build(
    arch: Arch,
    init: Init,
    conv: str,
    pooling: str,
    seed: int,
    classes: int = 2,
    sampling: Sampling = STRIDED,
) -> Classifier:
    """A classifier.

    Args:
        arch: library, name and, for the released protocol, the size of the first max pooling.
        init: `scratch` trains every weight; `frozen-random` and `frozen-pretrained` the head alone.
        conv: how the network meets the boundary, a convolution type.
        pooling: `max`, `avg`, or `released`: what the authors' code does (max for ResNets, else average).
        seed: int, of the random weights; the head's too.
        classes: width of the head.
        sampling: how strided layers sample.
    Returns: The classifier, on the CPU, in train mode.
    Raises: UserError: unknown network, or weights that cannot be had or do not fit.
    Source: Kayhan & van Gemert 2020, section 3.1.
    """
    torch.manual_seed(seed)
    body = _trunk(arch)
    if init.checkpoint:
        load_checkpoint(body.network, Path(init.checkpoint))
    elif init.name == "frozen-pretrained":
        load_pretrained(body.network, arch.library, arch.name)
    _shrink_first_maxpool(body, arch)
    if pooling == "released":
        pooling = "max" if arch.name.startswith("resnet") else "avg"
    torch.manual_seed(seed)  # the head is the same however many numbers the trunk drew
    classifier = Classifier(body, conv, pooling, classes, sampling)
    body.requires_grad_(init.name == "scratch")
    return classifier


def pretrained(arch: Arch, init: Init, conv: str, sampling: Sampling = STRIDED) -> FeatureMap:
    """A whole network with published weights, its own classifier included.

    Args:
        arch: as in `build`.
        init: a checkpoint, or the library's published weights.
        conv: as in `build`.
        sampling: as in `build`.
    Returns: Maps images [N, 3, H, W] to class scores [N, classes]; on the CPU, in train mode.
    Raises: UserError: unknown network, or weights that cannot be had or do not fit.
    """
    body = _trunk(arch)
    if init.checkpoint:
        load_checkpoint(body.network, Path(init.checkpoint))
    else:
        load_pretrained(body.network, arch.library, arch.name)
    return FeatureMap(body.network, conv, sampling)


def hollow(arch: Arch, conv: str, sampling: Sampling = STRIDED) -> FeatureMap:
    """A network without weights, for what follows from its structure alone.

    Args:
        arch: as in `build`.
        conv: as in `build`.
        sampling: as in `build`.
    Returns: Maps images to the last feature map.
    Raises: UserError: unknown network.
    """
    body = _hollow_trunk(arch)
    _shrink_first_maxpool(body, arch)
    return FeatureMap(body, conv, sampling)


def check_checkpoint(arch: Arch, init: Init) -> None:
    """Refuses a run's checkpoint that `build` would refuse, for runs that need no network: they count for its weights.

    Args:
        arch: as in `build`.
        init: as in `build`; published weights are not fetched for it.
    Raises: UserError: see `build`.
    """
    if init.checkpoint:
        read_checkpoint(_hollow_trunk(arch).network, Path(init.checkpoint))


def train_mode(classifier: Classifier, init: Init) -> Classifier:
    """Train mode for what trains: a frozen trunk stays in eval mode unless `init.batchnorm=adapting`.

    Frozen means frozen. The authors froze by `requires_grad` alone, so the running statistics of their batch
    normalisation kept adapting; `adapting` is that choice, by name.
    """
    classifier.train()
    if init.name != "scratch" and init.batchnorm == "frozen":
        classifier.trunk.eval()
    return classifier


def _trunk(arch: Arch) -> Trunk:
    """The network that a config names."""
    return trunk(arch.library, arch.name, getattr(arch, "kwargs", None), getattr(arch, "features", None))


def _hollow_trunk(arch: Arch) -> Trunk:
    try:
        with torch.device("meta"):
            return _trunk(arch)
    except UserError:  # some compute with numbers; what is wrong with the others, the second attempt says
        return _trunk(arch)


def _shrink_first_maxpool(body: nn.Module, arch: Arch) -> None:
    """The authors' ResNets, and they alone, have a first max pooling of 2 instead of 3 pixels."""
    if arch.maxpool_kernel is not None and arch.name.startswith("resnet"):
        first = next((m for m in body.modules() if isinstance(m, nn.MaxPool2d)), None)
        if first is not None:  # ResNets for small pictures have none
            first.kernel_size = arch.maxpool_kernel
