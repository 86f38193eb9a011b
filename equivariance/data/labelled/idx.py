"""The four files of Fashion-MNIST, plain or compressed. Format: yann.lecun.com/exdb/mnist."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equivariance.errors import UserError, printable, reason

# Images and labels of each split.
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def folder(root: str | Path) -> Path | None:
    """Where the files lie: in the folder itself or in torchvision's below it."""
    for place in (Path(root), Path(root, "FashionMNIST", "raw")):
        if all(_file(place, name) for names in FILES.values() for name in names):
            return place
    return None


def files(place: Path) -> list[Path]:
    """The four of them."""
    return [file for names in FILES.values() for name in names if (file := _file(place, name))]


def images(place: Path, split: str) -> Tensor:
    """Float [n, 1, h, w], in [0, 1].

    Raises: UserError: the file is broken.
    """
    return torch.from_numpy(_array(place, FILES[split][0], 3)).float()[:, None] / 255


def labels(place: Path, split: str) -> Tensor:
    """Int64 [n].

    Raises: UserError: the file is broken.
    """
    return torch.from_numpy(_array(place, FILES[split][1], 1)).long()


def _file(place: Path, name: str) -> Path | None:
    return next((file for file in (place / name, place / f"{name}.gz") if file.is_file()), None)


def _array(place: Path, name: str, dimensions: int) -> np.ndarray:
    """Bytes of so many dimensions: a magic number, their sizes (big-endian 32 bits each), the values."""
    file = _file(place, name)
    assert file is not None
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"data.root: {printable(file)} cannot be read ({reason(error)})") from error
    start = 4 * (1 + dimensions)
    header = np.frombuffer(content[: len(content[:start]) // 4 * 4], ">u4").tolist()
    if header[:1] != [0x800 + dimensions] or len(content) - start != math.prod(header[1:]):
        raise UserError(f"data.root: {printable(file)} is no file of {dimensions} dimensions in bytes, or is cut off")
    return np.frombuffer(content, np.uint8, offset=start).reshape(header[1:]).copy()
