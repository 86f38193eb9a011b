"""The network of Red-Green. Source: Kayhan & van Gemert 2020, section 3.2; sizes from their released code."""

from torch import nn


def red_green() -> nn.Sequential:
    """Four layers of 3×3 filters for colour images: receptive field 17 pixels, stride 8."""
    layers: list[nn.Module] = []
    for channels, filters, stride in ((3, 32, 1), (32, 32, 2), (32, 64, 2), (64, 64, 2)):
        layers += [nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.ReLU()]
    return nn.Sequential(*layers)
