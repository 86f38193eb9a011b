"""A small network computed once for each distinct patch instead of once for each place.

Images of few things on an empty background repeat themselves: a unit sees only the patch in its receptive field, and
the same patches come back at many places of many images. Here every distinct patch gets a number, layer by layer, and
each number is computed once. It is the same function of the same weights, and equal patches give equal features to the
last bit wherever they lie, which a dense convolution grants only up to rounding.

It holds for convolutions without bias, each followed by a ReLU, and global max pooling: empty background stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.boundary import Bounded, bounded, unwrap
from equivariance.models.classifier import Classifier, rule


@dataclass(frozen=True)
class Layer:
    """The distinct patches that the units of one layer see; number 0 is empty background.

    Args:
        taps: int64 [patches, taps of the kernel], numbers in the layer below.
        factor: float [patches], by which the boundary multiplies a response: 1 but for partial convolution.
    """

    taps: Tensor
    factor: Tensor


@dataclass(frozen=True)
class Patches:
    """Images as numbers of patches.

    Args:
        colours: float [colours, C], the distinct pixels; number 0 is background, which is zero.
        layers: one a convolution.
        units: int64 [n, units], an image's distinct places of the last layer, filled up with zeros.
    """

    colours: Tensor
    layers: list[Layer]
    units: Tensor

    def of(self, images: Tensor) -> Patches:
        """The images with the given indices (int64 [b]) and the patches that they need, no others."""
        tables, factors, table = [], [], self.units[images]
        for layer in reversed(self.layers):
            needed, numbers = _renumbered(table, len(layer.taps))
            tables.append(numbers)
            factors.append(layer.factor[needed])
            table = layer.taps[needed]
        tables.append(table)
        layers = [Layer(taps, factor) for taps, factor in zip(tables[:0:-1], factors[::-1], strict=True)]
        return Patches(self.colours, layers, tables[0])


class OncePerPatch(nn.Module):
    """A classifier that takes Patches instead of images.

    Args:
        classifier: its weights are used, not copied; convolutions without bias, each with a ReLU, one after another.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier, self.convs = classifier, convolutions(classifier)

    def forward(self, patches: Patches) -> Tensor:
        """Class scores [n, classes]."""
        found = patches.colours
        for conv, layer in zip(self.convs, patches.layers, strict=True):
            seen = F.embedding(layer.taps, found).flatten(1)  # [patches, taps, C] -> [patches, taps * C]
            weight = conv.weight.permute(2, 3, 1, 0).flatten(0, 2)  # [out, C, k, k] -> [k * k * C, out]
            found = F.relu(seen @ weight) * layer.factor[:, None]
        return self.classifier.head(F.embedding(patches.units, found).amax(1))


def convolutions(classifier: Classifier) -> list[nn.Conv2d]:
    """The convolutions of a trunk in order."""
    convs = [m for m in classifier.trunk.modules() if isinstance(m, nn.Conv2d)]
    assert all(conv.bias is None for conv in convs), "a bias would fill the background"
    return convs


def patches(images: Tensor, classifier: Classifier) -> Patches:
    """Numbers the patches of some images.

    Args:
        images: float [n, C, H, W], mostly zero.
        classifier: its kernels, strides and convolution type say which patches there are.
    """
    filled = images.ne(0).any(1).flatten(1)  # [n, H * W]
    colours, numbers = _distinct(images.flatten(2).transpose(1, 2)[filled])
    places = torch.zeros_like(filled, dtype=torch.int64).masked_scatter(filled, numbers)
    layers = []
    for taps, factor in geometry(convolutions(classifier), classifier.feature_map.conv, *images.shape[2:]):
        taps, factor = taps.to(images.device), factor.to(images)
        below = F.pad(places, (1, 0))  # what lies outside the map is background
        filled = torch.stack([below[:, tap] > 0 for tap in taps.T]).any(0)
        image, unit = filled.nonzero(as_tuple=True)
        factors, kind = torch.unique(factor, return_inverse=True)
        seen, numbers = _distinct(torch.cat([below[image[:, None], taps[unit]], kind[unit, None]], 1))
        places = torch.zeros_like(filled, dtype=torch.int64).masked_scatter(filled, numbers)
        layers.append(Layer(seen[:, :-1], factors[seen[:, -1]]))
    return Patches(colours, layers, _side_by_side(places))


def geometry(convs: list[nn.Conv2d], conv: str, height: int, width: int) -> list[tuple[Tensor, Tensor]]:
    """Which input each tap of each unit meets, read off the convolution type itself by kernels with a single tap.

    Args:
        convs: the layers, first to last.
        conv: a convolution type.
        height: of the images, in pixels.
        width: of the images, in pixels.
    Returns: For each layer, taps int64 [units, k * k]: 1 + the place in the layer below, 0 outside it; and factor
        float64 [units], by which the boundary multiplies the unit's response.
    """
    found = []
    blank = torch.zeros(1, 1, height, width, dtype=torch.float64)
    maps = blank if conv == "same" else bounded(blank, rule(conv))
    for layer in convs:
        single = torch.eye(layer.weight[0, 0].numel(), dtype=torch.float64).unflatten(1, (1, *layer.kernel_size))
        places = torch.arange(1.0, maps.shape[2] * maps.shape[3] + 1, dtype=torch.float64).view(1, 1, *maps.shape[2:])
        inside, place = (
            F.conv2d(_like(maps, content), single, None, layer.stride, layer.padding, layer.dilation)
            for content in (torch.ones_like(places), places)
        )
        factor = unwrap(inside).flatten(2)[0]  # [taps, units]
        taps = (unwrap(place).flatten(2)[0] / factor.where(factor > 0, 1.0)).round().long()
        found.append((taps.T, factor.amax(0)))
        maps = inside[:, :1]
    return found


def _like(maps: Tensor, content: Tensor) -> Tensor:
    """Other content at the same place of the network, on a background of zeros."""
    if not isinstance(maps, Bounded):
        return content
    background = None if maps.background is None else torch.zeros_like(maps.background)
    return maps.like(content, background)


def _distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct rows of [n, m], after a row of zeros, and the number of each of the n rows among them."""
    key = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    for column in rows.T:
        values, number = torch.unique(column, return_inverse=True)
        _, key = torch.unique(key * len(values) + number, return_inverse=True)
    found = rows.new_zeros(1 + int(key.max()) + 1, rows.shape[1])
    found[1 + key] = rows
    return found, 1 + key


def _renumbered(table: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The numbers below `count` that a table holds, and 0, in order; and the table in terms of their positions."""
    there = torch.zeros(count, dtype=torch.bool, device=table.device)
    there[0] = there[table] = True
    return there.nonzero().squeeze(1), (there.cumsum(0) - 1)[table]


def _side_by_side(places: Tensor) -> Tensor:
    """The distinct numbers of each row of [n, places], as few columns as the fullest row needs."""
    ordered = places.sort(1, descending=True).values
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = 0  # equal units count once: the maximum is the same
    ordered = ordered.sort(1, descending=True).values
    return ordered[:, : max(1, int(ordered.ne(0).sum(1).max()))]
