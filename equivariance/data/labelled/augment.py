"""Training pictures as they are drawn in an epoch: of seed, epoch and picture alone, so in whatever order they come."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from equivariance.data.labelled.labelled import Labelled

# Of a random crop: its area as a share of the picture's, and width by height.
AREA = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)
TRIES = 10


def augmented(split: Labelled, chosen: Tensor, how: str, side: int, seed: int, epoch: int) -> Tensor:
    """Pictures of a split, each drawn anew in each epoch.

    Args:
        split: n pictures.
        chosen: int64 [b].
        how: `none`; `flip`: half of them mirrored left-right; `crop`: also a crop at random, resized.
        side: pixels a side of such a crop.
        seed: of the draws.
        epoch: of the draws.
    Returns: float [b, 3, side, side], or of the split's own size without crops, in [0, 1].
    Source: random crops as in Szegedy et al. 2015 (arXiv 1409.4842) and torchvision's RandomResizedCrop.
    """
    randoms = [np.random.default_rng([seed, epoch, turn]) for turn in split.turn(chosen).tolist()]
    if how == "crop":
        found = torch.stack([_crop(split.whole(i), side, r) for i, r in zip(chosen.tolist(), randoms, strict=True)])
    else:
        found = split.pixels[chosen]
    if how == "none":
        return found
    mirrored = torch.tensor([bool(random.random() < 0.5) for random in randoms])
    return torch.where(mirrored[:, None, None, None], found.flip(3), found)


def box(height: int, width: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop; the largest in the middle where ten draws do not fit."""
    for _ in range(TRIES):
        area = height * width * random.uniform(*AREA)
        aspect = math.exp(random.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        high, wide = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < high <= height and 0 < wide <= width:
            return int(random.integers(height - high + 1)), int(random.integers(width - wide + 1)), high, wide
    high, wide = min(height, round(width / ASPECT[0])), min(width, round(height * ASPECT[1]))
    return (height - high) // 2, (width - wide) // 2, high, wide


def _crop(picture: Tensor, side: int, random: np.random.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import resized_crop

    found = resized_crop(picture, *box(picture.shape[1], picture.shape[2], random), [side, side], antialias=True)
    return found.clamp(0, 1)
