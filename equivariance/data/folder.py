"""Pictures from a folder laid out as root/<class>/<picture>."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from equivariance.data.picture_file import UnusableError, read
from equivariance.data.splits import Picture
from equivariance.errors import UserError, printable, reason

if TYPE_CHECKING:
    from equivariance.config.data import Pictures

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
# Folders that macOS and network storages put beside people's own, with copies of their files.
SYSTEM = {"__MACOSX", "@eaDir"}
# The side to which the authors' code brings a picture before it shrinks it, in pixels.
RELEASED_SIDE = 224


def files(root: Path) -> dict[Path, int]:
    """The pictures of a folder: the first of each class in sorted order, then the second of each, and so on.

    A class is a sub-folder that holds pictures, at any depth; where there is none, the folder itself is the one class.
    Hidden names and what operating systems add do not count. Names are bytes and sorted as such.

    Returns: For each picture the number of its class plus how many of that class come before it.
    Raises: UserError: no such folder, one that cannot be read, no pictures in it, or pictures beside classes.
    """
    try:
        if not root.is_dir():
            raise UserError(f"data.root={printable(root)}: no such folder")
        loose, classes = listed(root)
    except OSError as error:
        raise UserError(f"data.root={printable(root)}: cannot be read ({reason(error)})") from error
    if loose and classes:
        raise UserError(
            f"data.root={printable(root)}: pictures both beside the sub-folders ({_some(loose)}) and in them"
            f" ({_some(classes)}); allowed: one of both"
        )
    found = {
        file: number + turn
        for turn, files in enumerate(zip_longest(*(classes.values() or [loose])))
        for number, file in enumerate(files)
        if file is not None
    }
    if not found:
        raise UserError(
            f"data.root={printable(root)}: no pictures there; allowed: <class>/<picture> as {', '.join(SUFFIXES)}"
        )
    return found


def fingerprint(root: Path, count: int, digest: Callable[[list[Path]], list[str]]) -> str:
    """A digest of what a folder holds; see `fingerprint_of`.

    Raises: UserError: no such folder, or no pictures in it.
    """
    return fingerprint_of(list(files(root)), root, count, digest)


def fingerprint_of(found: list[Path], root: Path, count: int, digest: Callable[[list[Path]], list[str]]) -> str:
    """A digest of files in a folder.

    Args:
        found: the files.
        root: the folder.
        count: so many of them, the first ones, count by their content; the others by name and size.
        digest: gives those of files' contents.
    """
    readable = [file for file in found[:count] if os.access(file, os.R_OK)]
    contents = dict(zip(readable, digest(readable), strict=True))
    whole = hashlib.sha256()
    for file in found:
        name = os.fsencode(file.relative_to(root))
        whole.update(name + f"\0{file.stat().st_size} {contents.get(file, '')}\n".encode())
    return whole.hexdigest()[:16]


def pictures(data: Pictures, side: int, skipped: list[str]) -> Iterator[Picture]:
    """Reads pictures one by one, in the order of `files`.

    Args:
        data: the folder; the side of the central crop as a share of the shorter side; and how it is resized:
            `antialias`, or `released`: to 224 pixels and then bilinear without anti-aliasing.
        side: pixels a side of the result.
        skipped: gets a line for each file that is no usable picture, with the reason.
    """
    assert data.root is not None  # the config's cross-check
    root = Path(data.root)
    for file, turn in files(root).items():
        name = printable(file.relative_to(root))
        try:
            image = read(file)
        except UnusableError as error:
            skipped.append(f"{name}: {error}")
            continue
        yield Picture(shrink(_central(image, data.crop), side, data.resize), name, turn)


def shrink(image: Image.Image, side: int, resize: str) -> np.ndarray:
    """A square picture as uint8 [side, side, 3], resized in the stated way."""
    return _released(image, side) if resize == "released" else _antialiased(image, side)


def listed(folder: Path) -> tuple[list[Path], dict[Path, list[Path]]]:
    """The pictures in a folder itself, and below each of its sub-folders that has any."""
    inside = sorted((p for p in folder.iterdir() if not _ignored(p.name)), key=_in_order)
    loose = [p for p in inside if p.suffix.lower() in SUFFIXES and p.is_file()]
    below = {p: _below(p) for p in inside if p.is_dir()}
    return loose, {folder: pictures for folder, pictures in below.items() if pictures}


def _below(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder, onerror=_fail):
        folders[:] = [name for name in folders if not _ignored(name)]
        found += [Path(parent, name) for name in names if not _ignored(name)]
    return sorted((p for p in found if p.suffix.lower() in SUFFIXES and p.is_file()), key=_in_order)


def _fail(error: OSError) -> NoReturn:
    raise error


def _ignored(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM


def _in_order(path: Path) -> list[bytes]:
    return [os.fsencode(part) for part in path.parts]


def _some(paths: Collection[Path]) -> str:
    names = [printable(path.name) for path in islice(paths, 3)]
    return ", ".join(names) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _central(image: Image.Image, crop: float) -> Image.Image:
    size = max(1, round(min(image.size) * crop))
    left, top = (image.size[0] - size) // 2, (image.size[1] - size) // 2
    return image.crop((left, top, left + size, top + size))


def _antialiased(image: Image.Image, side: int) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _released(image: Image.Image, side: int) -> np.ndarray:
    large = image.resize((RELEASED_SIDE, RELEASED_SIDE), Image.Resampling.BILINEAR)
    stacked = torch.from_numpy(np.array(large)).permute(2, 0, 1)[None].float()  # [side, side, 3] -> [1, 3, side, side]
    small = F.interpolate(stacked, size=(side, side), mode="bilinear", align_corners=False, antialias=False)
    return small[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
