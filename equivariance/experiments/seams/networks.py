"""The small U-Nets of the seams experiment, in two and three dimensions, with any norm or none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from equivariance.experiments.seams.config import UNetArch

GROUPS = 4
CONVS = {2: nn.Conv2d, 3: nn.Conv3d}
POOLS = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
NORMS: dict[str, dict[int, Callable[[int], nn.Module]]] = {
    "none": {2: lambda _: nn.Identity(), 3: lambda _: nn.Identity()},
    "batch": {2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
    "group": {2: lambda width: nn.GroupNorm(GROUPS, width), 3: lambda width: nn.GroupNorm(GROUPS, width)},
    "instance": {
        2: lambda width: nn.InstanceNorm2d(width, affine=True),
        3: lambda w: nn.InstanceNorm3d(w, affine=True),
    },
}


class UNet(nn.Module):
    """Two convolutions a level, max pooling on the way down, repeated pixels and a skip on the way up.

    Args:
        arch: its size and norm.
        classes: channels of the output, a map of the image's size.
    Source: Ronneberger et al. 2015 (arXiv 1505.04597), with padding and upsampling in place of transposed convolution.
    """

    def __init__(self, arch: UNetArch, classes: int) -> None:
        super().__init__()
        self.norm, self.conv = NORMS[arch.norm][arch.dims], CONVS[arch.dims]
        wide = [arch.width * 2**level for level in range(arch.levels)]
        self.down = nn.ModuleList(self._level(a, b) for a, b in zip([3, *wide[:-1]], wide, strict=True))
        self.join = nn.ModuleList(self._level(a + b, a) for a, b in pairwise(wide))
        self.pool, self.repeat = POOLS[arch.dims](2), nn.Upsample(scale_factor=2)
        self.last = self.conv(wide[0], classes, 1)

    def _level(self, before: int, after: int) -> nn.Sequential:
        layers = [(self.conv(a, after, 3, padding=1), self.norm(after), nn.ReLU(inplace=True)) for a in (before, after)]
        return nn.Sequential(*layers[0], *layers[1])

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [N, classes, *space] of images [N, 3, *space], whose sides are multiples of 2 to the depth."""
        maps = [self.down[0](images)]
        for level in list(self.down)[1:]:
            maps.append(level(self.pool(maps[-1])))
        found = maps.pop()
        for join in reversed(self.join):
            found = join(torch.cat([self.repeat(found), maps.pop()], 1))
        return self.last(found)
