"""Data sets that fit into memory: digits, Fashion-MNIST, CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from equivariance.data.labelled import idx
from equivariance.data.labelled.labelled import Labelled, resized
from equivariance.data.splits import SPLITS
from equivariance.errors import UserError, reason

if TYPE_CHECKING:
    from equivariance.config.labelled import Labelled as Section


@dataclass(frozen=True)
class Pool:
    """Images from which splits are drawn.

    Args:
        pixels: float [n, 1 or 3, h, w], in [0, 1].
        labels: int64 [n].
    """

    pixels: Tensor
    labels: Tensor


def load(data: Section) -> dict[str, Labelled]:
    """The objects of each split: validation is taken from the training set, and test where there is no test set.

    Raises: UserError: a folder that cannot be read, or more images asked for than there are.
    """
    pools = {"digits": _digits, "fashion_mnist": _fashion_mnist, "cifar10": _cifar10}[data.name](str(data.root))
    classes = tuple(map(str, range(int(pools["train"].labels.max()) + 1)))
    order = np.random.default_rng(data.seed)
    found, taken = {}, dict.fromkeys(pools, 0)
    shuffled = {name: order.permutation(len(pool.labels)) for name, pool in pools.items()}
    for split in SPLITS:
        name, wanted = split if split in pools else "train", getattr(data, split)
        start, stop, pool = taken[name], taken[name] + wanted, pools[name]
        if stop > len(pool.labels):
            left = len(pool.labels) - start
            raise UserError(f"data.{split}={wanted}: {left} images are left; allowed: up to these")
        numbers = shuffled[name][start:stop]
        chosen = torch.from_numpy(numbers)
        names = tuple(f"{name}/{number}" for number in numbers.tolist())
        found[split] = Labelled(resized(pool.pixels[chosen], data.side), pool.labels[chosen], names, classes)
        taken[name] = stop
    return found


def _digits(root: str) -> dict[str, Pool]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"train": Pool(torch.tensor(digits.images / 16).float()[:, None], torch.tensor(digits.target))}


def _fashion_mnist(root: str) -> dict[str, Pool]:
    """The four files where they lie in the folder itself, as Debian's package has them, or in torchvision's.

    Raises: UserError: a file is broken, or they are neither there nor can they be downloaded.
    """
    folder = idx.folder(root)
    if folder is None:
        from torchvision import datasets

        try:
            datasets.FashionMNIST(root, download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"data.root={root}: fashion_mnist cannot be had there ({reason(error)}); allowed: a folder with"
                f" {idx.FILES['train'][0]} and the other three, plain or .gz, or one to download them to"
            ) from error
        folder = idx.folder(root)
    assert folder is not None
    return {split: Pool(idx.images(folder, split), idx.labels(folder, split)) for split in ("train", "test")}


def _cifar10(root: str) -> dict[str, Pool]:
    from torchvision import datasets

    found = {}
    for split in ("train", "test"):
        try:
            whole = datasets.CIFAR10(root, train=split == "train", download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(f"data.root={root}: cifar10 cannot be had there ({reason(error)})") from error
        pixels = torch.from_numpy(whole.data).permute(0, 3, 1, 2)  # [n, h, w, 3] -> [n, 3, h, w]
        found[split] = Pool(pixels.float() / 255, torch.as_tensor(whole.targets))
    return found
