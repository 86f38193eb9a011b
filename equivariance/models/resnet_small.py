"""Residual networks for small images (He et al., CVPR 2016, section 4.2), with shortcuts by projection."""

from __future__ import annotations

from torch import Tensor, nn

DEPTHS = {"resnet8": 1, "resnet20": 3}


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut.

    Args:
        inputs: channels coming in.
        planes: channels going out.
        stride: of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != planes:
            projection = nn.Conv2d(inputs, planes, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, H, W] to [N, planes, H / stride, W / stride]."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.shortcut(x))


def resnet_small(name: str, width: int = 16) -> nn.Sequential:
    """A trunk of three stages of `width`, 2 and 4 times `width` channels; the last two begin with stride 2.

    Args:
        name: one of DEPTHS.
        width: channels of the first stage.
    """
    blocks, inputs = [], width
    for stage in range(3):
        for number in range(DEPTHS[name]):
            planes = width << stage
            blocks.append(Block(inputs, planes, 2 if stage and not number else 1))
            inputs = planes
    return nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), *blocks)
