"""BagNet: a ResNet-50 that sees only small patches (Brendel & Bethge, ICLR 2019)."""

import math

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1x1, k x k without padding, 1x1; the shortcut loses at the bottom and right what the middle convolution lost.

    Args:
        inputs: int, channels coming in.
        planes: int, channels of the middle convolution; 4 x planes go out.
        kernel: int, 3 in the first block of a stage, else 1.
        stride: int, of the middle convolution and of the shortcut.
        project: bool, whether the shortcut is a strided 1x1 convolution.
    """

    def __init__(self, inputs: int, planes: int, kernel: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel, stride, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if project:
            shortcut = nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * planes))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, C, H, W] to [N, 4 planes, H', W']."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        # As published: rows and columns are dropped at the bottom and right, one pixel off the centre.
        return self.relu(out + shortcut[:, :, : out.shape[2], : out.shape[3]])


class BagNet(nn.Module):
    """The convolutional part and the classifier; parameter names are those of the authors' checkpoint.

    Args:
        kernel3: for each of the four stages, whether its first block has a 3x3 kernel (all four: receptive field 33).
        num_classes: int, width of the classifier.
    Source: Brendel & Bethge 2019, section 2 and appendix A.1.
    """

    def __init__(self, kernel3: tuple[bool, bool, bool, bool] = (True,) * 4, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 64, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64, momentum=0.001)
        self.relu = nn.ReLU(inplace=True)
        inputs = 64
        for stage, (blocks, stride, large) in enumerate(zip((3, 4, 6, 3), (2, 2, 2, 1), kernel3, strict=True)):
            planes = 64 * 2**stage
            first = Bottleneck(inputs, planes, 3 if large else 1, stride, project=True)
            rest = [Bottleneck(4 * planes, planes, 1, 1, project=False) for _ in range(blocks - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, *rest))
            inputs = 4 * planes
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, num_classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [N, num_classes] of normalised images [N, 3, H, W], H and W at least 33."""
        x = self.relu(self.bn1(self.conv2(self.conv1(x))))
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(name)(x)
        return self.fc(self.avgpool(x).flatten(1))


def _initialise(module: nn.Module) -> None:
    """The authors' initialisation: normal, variance 2 / (k k c_out)."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))


def bagnet33(num_classes: int = 1000) -> BagNet:
    """BagNet-33: receptive field 33 pixels, stride 8."""
    return BagNet(num_classes=num_classes)
