"""Labelled objects, split without overlap, and laid on an empty canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.data.splits import SPLITS
from equivariance.errors import UserError, reason

if TYPE_CHECKING:
    from equivariance.experiments.shift.config import Objects, ShiftRun


@dataclass(frozen=True)
class Split:
    """The objects of one split.

    Args:
        pixels: float [n, 3, side, side], in [0, 1].
        labels: int64 [n].
    """

    pixels: Tensor
    labels: Tensor


def load(data: Objects) -> dict[str, Split]:
    """The objects of each split; none is in two of them.

    Raises: UserError: a folder that cannot be read, or more images asked for than there are.
    """
    pools = _digits() if data.name == "digits" else _torchvision(data)
    sizes = {"train": data.train, "validation": data.validation, "test": data.test}
    order = np.random.default_rng(data.seed)
    found, taken = {}, dict.fromkeys(pools, 0)
    shuffled = {name: order.permutation(len(labels)) for name, (_, labels) in pools.items()}
    for split in SPLITS:
        name = split if split in pools else "train"
        start, stop = taken[name], taken[name] + sizes[split]
        pixels, labels = pools[name]
        if stop > len(labels):
            raise UserError(f"data.{split}={sizes[split]}: {len(labels) - start} images are left; allowed: up to these")
        chosen = torch.from_numpy(shuffled[name][start:stop])
        found[split] = Split(_resized(pixels[chosen], data.side), labels[chosen])
        taken[name] = stop
    return found


def _digits() -> dict[str, tuple[Tensor, Tensor]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"train": (torch.tensor(digits.images / 16).float()[:, None], torch.tensor(digits.target))}


def _torchvision(data: Objects) -> dict[str, tuple[Tensor, Tensor]]:
    from torchvision import datasets

    kind = {"fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}[data.name]
    found = {}
    for split, train in (("train", True), ("test", False)):
        try:
            whole = kind(str(data.root), train=train, download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(f"data.root={data.root}: {data.name} cannot be had there ({reason(error)})") from error
        pixels = torch.as_tensor(np.asarray(whole.data))
        pixels = pixels[:, None] if pixels.dim() == 3 else pixels.permute(0, 3, 1, 2)  # -> [n, 1 or 3, h, w]
        found[split] = (pixels.float() / 255, torch.as_tensor(whole.targets))
    return found


def _resized(pixels: Tensor, side: int) -> Tensor:
    """[n, 1 or 3, h, w] to [n, 3, side, side]."""
    resized = F.interpolate(pixels, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return resized.clamp(0, 1).expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Backdrop:
    """The empty image on which objects lie.

    Args:
        side: pixels a side.
        mean: of each channel, pixels in [0, 1].
        std: of each channel.
        background: `black` or `mean`.
    """

    side: int
    mean: Tensor
    std: Tensor
    background: str

    @classmethod
    def of(cls, config: ShiftRun) -> Backdrop:
        """That of a run."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (config.arch.mean, config.arch.std))
        return cls(config.experiment.canvas, mean, std, config.experiment.background)

    @property
    def colour(self) -> tuple[float, ...]:
        """Its colour, normalised, of each channel."""
        empty = torch.zeros_like(self.mean) if self.background == "mean" else -self.mean / self.std
        return tuple(empty.flatten().tolist())

    def images(self, pixels: Tensor, moved: Tensor) -> Tensor:
        """Each object in the middle, moved.

        Args:
            pixels: float [n, 3, h, w], in [0, 1].
            moved: int64 [n, 2], rows and columns.
        Returns: float [n, 3, side, side], normalised.
        """
        objects, (height, width) = (pixels - self.mean) / self.std, pixels.shape[2:]
        out = torch.tensor(self.colour)[None, :, None, None].repeat(len(pixels), 1, self.side, self.side)
        for image, (y, x), shown in zip(out, moved.tolist(), objects, strict=True):
            top, left = (self.side - height) // 2 + y, (self.side - width) // 2 + x
            image[:, top : top + height, left : left + width] = shown
        return out
