"""Picture files: which can be used, and their pixels when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from equivariance.data.picture_file import UnusableError, read
from equivariance.errors import UserError, printable, reason
from sweeps.terminal import track

# Files that are looked at together, a few more than are needed at most.
TOGETHER = 256


class Usable:
    """Which of many files are pictures that no other split has; decoders run in as many threads as torch may use.

    Args:
        root: by which files are named.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._homes: dict[bytes, tuple[str, str]] = {}  # of a picture's digest, the split and a name

    def each(self, split: str, files: list[Path]) -> Iterator[tuple[bool, str]]:
        """For each file whether it can be in the split, and if not, a line that says why."""
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            groups = [files[at : at + TOGETHER] for at in range(0, len(files), TOGETHER)]
            for group in track(groups, len(groups), f"reading the {split} pictures"):
                for file, told in zip(group, pool.map(_digest, group), strict=True):
                    name = printable(file.relative_to(self.root))
                    if isinstance(told, str):
                        yield False, f"{name}: {told}"
                        continue
                    home, other = self._homes.setdefault(told, (split, name))
                    yield home == split, f"{name}: the same picture as {other}, which is in {home}"


def _digest(file: Path) -> bytes | str:
    """Of the pixels, or else why it cannot be used."""
    try:
        image = read(file)
    except (UnusableError, OSError) as error:
        return reason(error)
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).digest()


@dataclass(frozen=True)
class Files:
    """Pictures in files, decoded when they are asked for.

    Args:
        paths: of n files.
        root: by which they are named.
        resize: pixels of the shorter side, before
        side: pixels a side of the central square, which is what is given.
    """

    paths: list[Path]
    root: Path
    resize: int
    side: int

    @property
    def names(self) -> list[str]:
        """Of each, relative to the root."""
        return [printable(path.relative_to(self.root)) for path in self.paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        return torch.stack([_tensor(self._central(self._read(i))) for i in chosen.tolist()])

    def whole(self, number: int) -> Tensor:
        """One picture as it is in its file, float [3, h, w], in [0, 1]."""
        return _tensor(self._read(number))

    def _read(self, number: int) -> Image.Image:
        try:
            return read(self.paths[number])
        except (UnusableError, OSError) as error:  # it could be read a while ago
            raise UserError(f"data.root: {printable(self.paths[number])}: {reason(error)}") from error

    def _central(self, image: Image.Image) -> Image.Image:
        scale = self.resize / min(image.size)
        width, height = (max(self.resize, int(length * scale)) for length in image.size)
        small = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = round((width - self.side) / 2), round((height - self.side) / 2)
        return small.crop((left, top, left + self.side, top + self.side))


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255  # [h, w, 3] -> [3, h, w]
