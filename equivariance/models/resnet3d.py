"""Three-dimensional ResNets for videos, from their description: Hara, Kataoka & Satoh, CVPR 2018 (arXiv 1711.09577).

The base of Kayhan & van Gemert's action recognition: a stem of 7×7×7 with stride (1, 2, 2), a max pooling of 3×3×3 with
stride 2, four stages of which the last three begin with stride 2 along time, rows and columns, shortcuts by projection
where the shape changes (type B of He et al. 2016), pooling over all of time and space.

`resnet3d_8` is for small videos, as ResNet-8 is for small images: a stem of 3×3×3 without stride, no max pooling, three
stages of one block.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

# Of each stage.
BLOCKS = {
    "resnet3d_8": (1, 1, 1),
    "resnet3d_18": (2, 2, 2, 2),
    "resnet3d_34": (3, 4, 6, 3),
    "resnet3d_50": (3, 4, 6, 3),
}


class Block(nn.Module):
    """Convolutions, each normalised, and a shortcut.

    Args:
        inputs: channels coming in.
        planes: channels of the stage; a bottleneck gives four times as many.
        stride: along time, rows and columns.
        bottleneck: 1×1×1, 3×3×3, 1×1×1 instead of 3×3×3 twice.
    """

    def __init__(self, inputs: int, planes: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * planes if bottleneck else planes
        if bottleneck:
            layers = [_layer(inputs, planes, 1), _layer(planes, planes, 3, stride), _layer(planes, outputs, 1)]
        else:
            layers = [_layer(inputs, planes, 3, stride), _layer(planes, outputs, 3)]
        rectified = [nn.Sequential(layer, nn.ReLU(inplace=True)) for layer in layers[:-1]]
        self.main = nn.Sequential(*rectified, layers[-1])
        changed = stride > 1 or inputs != outputs
        self.shortcut = _layer(inputs, outputs, 1, stride) if changed else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, T, H, W] to [N, outputs, T / stride, H / stride, W / stride]."""
        return self.relu(self.main(x) + self.shortcut(x))


def _layer(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv3d(inputs, outputs, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(outputs))


def resnet3d(name: str, width: int = 64, time_stride: int = 1) -> nn.Sequential:
    """A trunk, with weights from torch's global generator (Kaiming, normal, fan out).

    Args:
        name: one of BLOCKS.
        width: channels of the first stage; the others have 2, 4 and 8 times as many.
        time_stride: of the stem.
    Returns: `stem`, `pool`, `layer1`, `layer2`, …: maps [N, 3, T, H, W] to [N, C, T', H', W'].
    """
    bottleneck, small = name == "resnet3d_50", name == "resnet3d_8"
    size, stride = (3, 1) if small else (7, 2)
    stem = nn.Conv3d(3, width, size, (time_stride, stride, stride), size // 2, bias=False)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["stem"] = nn.Sequential(stem, nn.BatchNorm3d(width), nn.ReLU(inplace=True))
    parts["pool"] = nn.Identity() if small else nn.MaxPool3d(3, 2, 1)
    inputs = width
    for stage, count in enumerate(BLOCKS[name]):
        planes, blocks = width << stage, []
        for number in range(count):
            blocks.append(Block(inputs, planes, 2 if stage and not number else 1, bottleneck))
            inputs = 4 * planes if bottleneck else planes
        parts[f"layer{stage + 1}"] = nn.Sequential(*blocks)
    made = nn.Sequential(parts)
    for module in made.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return made
