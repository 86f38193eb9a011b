"""HardNet: a patch of 32×32 pixels to a unit vector, meeting the boundary in a stated way.

Source: Mishchuk et al. 2017 (arXiv 1705.10872), figure 2, on L2-Net (Tian et al. 2017); as Kayhan & van Gemert 2020 use
it in section 4.2.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.errors import UserError
from equivariance.models.classifier import FeatureMap

SIDE = 32  # pixels a side of a patch
CHANNELS = (1, 32, 32, 64, 64, 128, 128)
STRIDES = (1, 1, 2, 1, 2, 1)
DIMENSIONS = 128
KERNEL = 8  # of the published head: as large as the published map
FLAT = 1e-7  # added to a patch's standard deviation


class HardNet(nn.Module):
    """Six 3×3 layers, read under a convolution type, and a head, which is the same under each of them.

    Args:
        conv: a convolution type, of the 3×3 layers.
        head: `flat`, `max`, `whole` or `global`, see `Head`.
        dropout: share of the last map's entries that are dropped in training.
        gain: of the orthogonal weights that it starts from.
    Raises: UserError: the map that the head is given is too small for it.
    """

    def __init__(self, conv: str, head: str, dropout: float = 0.3, gain: float = 0.6) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for (below, above), stride in zip(pairwise(CHANNELS), STRIDES, strict=True):
            layers += [nn.Conv2d(below, above, 3, stride, 1, bias=False)]
            layers += [nn.BatchNorm2d(above, affine=False), nn.ReLU()]
        self.feature_map = FeatureMap(nn.Sequential(*layers), conv)
        self.head = Head(head, conv, self._side(), dropout)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight, gain)

    def forward(self, patches: Tensor) -> Tensor:
        """Descriptors of length 1, float [N, dimensions], of patches float [N, 1, 32, 32]."""
        return F.normalize(self.head(self.feature_map(normalised(patches))))

    def _side(self) -> int:
        """Side of the last map."""
        trunk = self.feature_map.eval()
        with torch.no_grad():
            side = trunk(torch.zeros(1, 1, SIDE, SIDE)).shape[-1]
        trunk.train()
        return side


class Head(nn.Module):
    """From the last 3×3 layer's map to the descriptor, not yet of length 1.

    Args:
        name: `flat`: an 8×8 layer without padding, all of whose outputs are the descriptor, as published and released:
            128 numbers under `same`, 6272 of 7×7 places under `full`. `max`: of that layer each channel's largest
            output: 128. `whole`: a layer as large as the map, so that it has one output: 128, and more weights where
            the map is larger. `global`: no layer; each channel's largest entry of the map: 128.
        conv: the convolution type, to name it in messages.
        side: of the map.
        dropout: share of entries that are dropped in training.
    Raises: UserError: the map is smaller than the 8×8 layer.
    """

    def __init__(self, name: str, conv: str, side: int, dropout: float) -> None:
        super().__init__()
        kernel = {"whole": side, "global": 0}.get(name, KERNEL)
        if kernel > side:
            raise UserError(
                f"conv={conv}: its last map has {side} pixels a side, the 8×8 layer of experiment.head={name} needs 8;"
                " allowed: experiment.head=whole or global"
            )
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Conv2d(CHANNELS[-1], DIMENSIONS, kernel, bias=False) if kernel else nn.Identity()
        self.largest = name in ("max", "global")
        self.norm = nn.BatchNorm2d(DIMENSIONS, affine=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Float [N, dimensions] of maps float [N, 128, side, side]."""
        found = self.layer(self.dropout(maps))
        if self.largest:  # before the normalisation, whose zero mean unit vectors need in order to spread
            found = found.amax((2, 3), keepdim=True)
        return self.norm(found).flatten(1)  # [N, 128, s, s] -> [N, 128 * s * s]


def normalised(patches: Tensor) -> Tensor:
    """Each patch with mean 0 and standard deviation 1, so that brightness and contrast do not count."""
    deviation, mean = torch.std_mean(patches, (1, 2, 3), keepdim=True)
    return (patches - mean) / (deviation + FLAT)
