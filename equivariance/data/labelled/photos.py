"""Which photograph a crop comes from: real pictures without a download, splits cut from disjoint strips."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from equivariance.data.labelled.labelled import Labelled
from equivariance.data.photos import PHOTOS, crops
from equivariance.data.splits import SPLITS

if TYPE_CHECKING:
    from equivariance.config.labelled import Labelled as Section


def load(data: Section) -> dict[str, Labelled]:
    """Crops of each split, as many of each photograph as of any other, give or take one."""
    classes = tuple(name.partition(".")[0] for name in PHOTOS)
    found = {}
    for number, split in enumerate(SPLITS):
        # A stream a split, so that the size of one changes no picture of another.
        drawn = islice(crops(np.random.default_rng([data.seed, number]), data.side, (split,)), getattr(data, split))
        pictures = list(drawn)
        stacked = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))
        pixels = stacked.permute(0, 3, 1, 2).float() / 255  # [n, side, side, 3] -> [n, 3, side, side]
        labels = torch.arange(len(pictures)) % len(PHOTOS)
        found[split] = Labelled(pixels, labels, tuple(p.source for p in pictures), classes)
    return found
