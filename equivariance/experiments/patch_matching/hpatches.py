"""Registered views of points in one file, as the HPatches sets have them (Balntas et al. 2017)."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from equivariance.errors import UserError, printable, reason
from equivariance.experiments.patch_matching.patches import SIDE, Patches, halved

# What NumPy and zipfile raise of what is damaged, encrypted, packed in another way, or tells an impossible size.
UNREADABLE = (
    *(OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error),
    *(RuntimeError, NotImplementedError, MemoryError, OverflowError),
)


def sequences(path: Path) -> dict[str, Patches]:
    """The points of each sequence, by its name in sorted order.

    Args:
        path: an .npz of NumPy: `patches` uint8 [points, views, 64, 64], and `sequence`, text [points], the scene that
            a point belongs to.
    Raises: UserError: the file is missing, damaged or another.
    """
    try:
        with np.load(path) as archive:
            lacking = [name for name in ("patches", "sequence") if name not in archive]
            if lacking:
                raise UserError(f"data.root={printable(path)}: has no array {' or '.join(lacking)}")
            pixels, names = np.asarray(archive["patches"]), np.asarray(archive["sequence"])
    except UNREADABLE as error:
        raise UserError(f"data.root={printable(path)}: no .npz of NumPy ({reason(error)})") from error
    kinds = f"patches {pixels.dtype} {list(pixels.shape)}, sequence {names.dtype} {list(names.shape)}"
    fits = pixels.dtype == np.uint8 and pixels.ndim == 4 and pixels.shape[2:] == (SIDE, SIDE) and pixels.shape[1] > 1
    if not fits or names.shape != pixels.shape[:1] or names.dtype.kind not in "US":
        raise UserError(
            f"data.root={printable(path)}: {kinds}; allowed: uint8 [points, views, {SIDE}, {SIDE}], text [points]"
        )
    try:
        names = names.astype(str)
    except UnicodeDecodeError as error:
        raise UserError(f"data.root={printable(path)}: sequence cannot be read as text ({error.reason})") from error
    return {str(name): _patches(pixels[names == name]) for name in np.unique(names)}


def split(found: dict[str, Patches], tested: list[str] | None) -> tuple[Patches, Patches]:
    """What is trained on and what is tested on, no sequence in both.

    Args:
        found: from `sequences`.
        tested: names of the sequences that are tested on; None: every second one.
    Raises: UserError: there is no such sequence, or none is left.
    """
    names = list(found)
    tested = names[1::2] if tested is None else tested
    unknown = [name for name in tested if name not in names]
    if unknown or not tested or set(tested) == set(names):
        told = ", ".join(map(printable, names))
        raise UserError(f"data.tested={tested}: allowed: some, not all, of {told}")
    parts = [[patches for name, patches in found.items() if (name in tested) == test] for test in (False, True)]
    return _joined(parts[0]), _joined(parts[1])


def _joined(parts: list[Patches]) -> Patches:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole


def _patches(pixels: np.ndarray) -> Patches:
    points, each = pixels.shape[:2]
    return Patches(halved(pixels.reshape(-1, SIDE, SIDE)), np.repeat(np.arange(points), each))
