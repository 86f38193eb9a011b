"""The networks of the controlled experiments, as published: convolutions without bias, ReLU, global max pooling."""

from __future__ import annotations

import torch
from torch import nn

from equivariance.models.classifier import Classifier
from equivariance.models.trunk import Trunk


def controlled(name: str, conv: str, seed: int, kernel: int = 5) -> Classifier:
    """A two-class network with PyTorch's default initialisation, drawn from first to last layer as the authors do.

    Args:
        name: `rook` or `red_green`.
        conv: how it meets the boundary, one of CONVS.
        seed: of the weights.
        kernel: side in pixels of the rook's filter.
    Source: Kayhan & van Gemert 2020, sections 3.1 (rook) and 3.2 (Red-Green), sizes from their released code.
    """
    torch.manual_seed(seed)
    layers = rook(kernel) if name == "rook" else red_green()
    trunk = Trunk(layers, layers)
    trunk.channels = next(m for m in reversed(layers) if isinstance(m, nn.Conv2d)).out_channels
    return Classifier(trunk, conv, "max")


def rook(kernel: int = 5) -> nn.Sequential:
    """One filter for grey images, of odd side, and a ReLU."""
    return nn.Sequential(nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False), nn.ReLU())


def red_green() -> nn.Sequential:
    """Four layers of 3×3 filters for colour images: receptive field 17 pixels, stride 8."""
    layers: list[nn.Module] = []
    for channels, filters, stride in ((3, 32, 1), (32, 32, 2), (32, 64, 2), (64, 64, 2)):
        layers += [nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.ReLU()]
    return nn.Sequential(*layers)
