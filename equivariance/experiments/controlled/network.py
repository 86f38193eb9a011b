"""The networks of the controlled experiments, as published: convolutions without bias, ReLU, global max pooling."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from equivariance.models.classifier import Classifier
from equivariance.models.trunk import Trunk


def controlled(layers: Callable[[], nn.Sequential], conv: str, seed: int) -> Classifier:
    """A two-class network with PyTorch's default initialisation, drawn from first to last layer as the authors do.

    Args:
        layers: makes the convolutional part.
        conv: how it meets the boundary, a convolution type.
        seed: of the weights.
    Source: released code of Kayhan & van Gemert 2020.
    """
    torch.manual_seed(seed)
    made = layers()
    trunk = Trunk(made, made)
    trunk.channels = next(m for m in reversed(made) if isinstance(m, nn.Conv2d)).out_channels
    return Classifier(trunk, conv, "max")
