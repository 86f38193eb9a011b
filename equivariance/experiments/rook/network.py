"""The network of the rook dilemma. Source: Kayhan & van Gemert 2020, section 3.1; sizes from their released code."""

from torch import nn


def rook(kernel: int = 5) -> nn.Sequential:
    """One filter for grey images, of odd side in pixels, and a ReLU."""
    return nn.Sequential(nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False), nn.ReLU())
