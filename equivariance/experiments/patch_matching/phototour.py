"""The PhotoTour sets (Winder & Brown 2007) as published: a folder each of sheets of patches, points and test pairs.

A folder holds `patches0000.bmp`, … (16×16 patches of 64×64 pixels a sheet, row by row), `info.txt` (a line a patch, the
first number its 3-D point) and `m50_100000_100000_0.txt` (a line a test pair; numbers 1 and 4 are patches, 2 and 5
their points). torchvision's PhotoTour downloads and unpacks them; they are read here, since it keeps what it has read
in a file of its own beside them, and takes whole patches into memory where half their side is needed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from equivariance.errors import UserError, printable, reason
from equivariance.experiments.patch_matching.patches import SIDE, PairSet, Patches, halved
from sweeps.terminal import track

INFO, PAIRS = "info.txt", "m50_100000_100000_0.txt"
SHEET = 1024  # pixels a side
EACH = (SHEET // SIDE) ** 2  # patches a sheet


def files(folder: Path) -> list[Path]:
    """The files of a set, sheets in order.

    Raises: UserError: one is not there.
    """
    for name in (INFO, PAIRS):
        if not (folder / name).is_file():
            raise UserError(f"data.root: {printable(folder)} has no {name}; allowed: a folder of PhotoTour, unpacked")
    sheets = sorted(folder.glob("*.bmp"))
    if not sheets:
        raise UserError(f"data.root: {printable(folder)} has no sheets of patches (patches0000.bmp, …)")
    return [folder / INFO, folder / PAIRS, *sheets]


def patches(folder: Path) -> Patches:
    """All patches of a set.

    Raises: UserError: a file that is missing or damaged, or fewer sheets than info.txt has patches; names it.
    """
    info, _, *sheets = files(folder)
    points = _numbers(info, 1)[:, 0]
    needed = -(-len(points) // EACH)
    if len(sheets) < needed:
        raise UserError(f"data.root: {printable(info)} tells of {len(points)} patches, {len(sheets)} sheets have fewer")
    found = [_sheet(path) for path in track(sheets[:needed], needed, f"reading {folder.name}")]
    return Patches(np.concatenate(found)[: len(points)], points)


def test(folder: Path, limit: int | None) -> PairSet:
    """The published test pairs of a set.

    Args:
        folder: of the set.
        limit: so many pairs, the first half of matching ones and of others; None: all.
    Raises: UserError: as `patches`; more pairs than there are, of one kind alone, or that contradict info.txt.
    """
    found, path = patches(folder), folder / PAIRS
    numbers = _numbers(path, 5)
    pairs = numbers[:, [0, 3]]
    if pairs.min() < 0 or pairs.max() >= len(found.points) or (found.points[pairs] != numbers[:, [1, 4]]).any():
        raise UserError(f"data.root: {printable(path)} has pairs that contradict {INFO}")
    matching = numbers[:, 1] == numbers[:, 4]
    if matching.all() or not matching.any():
        only = "that match" if matching.all() else "that do not"
        raise UserError(f"data.root: {printable(path)} has pairs {only} alone; FPR95 is of both kinds")
    half = len(pairs) if limit is None else limit // 2
    if limit is not None and min(matching.sum(), (~matching).sum()) < half:
        most = 2 * min(matching.sum(), (~matching).sum())
        raise UserError(f"data.pairs={limit}: {printable(path)} has {most} with matches for half of them")
    chosen = np.sort(np.concatenate([np.flatnonzero(matching)[:half], np.flatnonzero(~matching)[:half]]))
    return _needed(found, pairs[chosen])


def _needed(found: Patches, pairs: np.ndarray) -> PairSet:
    """The pairs and their patches alone: a set has hundreds of thousands."""
    used, numbers = np.unique(pairs, return_inverse=True)
    return PairSet(Patches(found.pixels[used], found.points[used]), numbers.reshape(pairs.shape))


def _numbers(path: Path, columns: int) -> np.ndarray:
    """The first whole numbers of each line, int64 [lines, columns]."""
    try:
        with path.open() as lines:
            found = [[int(word) for word in line.split()[:columns]] for line in lines if line.strip()]
        return np.array(found, np.int64).reshape(len(found), columns)[:, :columns] if found else _none(path)
    except (OSError, ValueError, OverflowError) as error:  # of no text, too
        raise UserError(f"data.root: {printable(path)} cannot be read ({reason(error)})") from error


def _none(path: Path) -> np.ndarray:
    raise UserError(f"data.root: {printable(path)} is empty")


def _sheet(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"data.root: {printable(path)} cannot be read ({reason(error)})") from error
    if pixels.shape != (SHEET, SHEET):
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        raise UserError(f"data.root: {printable(path)} has {size} pixels; allowed: {SHEET}×{SHEET}")
    rows = pixels.reshape(SHEET // SIDE, SIDE, SHEET // SIDE, SIDE)  # rows of patches, then columns of them
    return halved(rows.swapaxes(1, 2).reshape(EACH, SIDE, SIDE))
