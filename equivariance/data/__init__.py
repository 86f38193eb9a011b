"""Pictures, and the data sets made of them, with splits that are disjoint by construction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.data import folder
from equivariance.data.folder import fingerprint as folder_fingerprint
from equivariance.data.photos import photos
from equivariance.data.splits import SPLITS, Splits, deal, shared

if TYPE_CHECKING:
    from equivariance.config import Data

__all__ = ["SPLITS", "Splits", "folder_fingerprint", "load_pictures"]


def load_pictures(data: Data, side: int) -> Splits:
    """The source pictures of a run.

    Args:
        data: which source, how many per split, and how they are cut.
        side: pixels a side of the pictures.
    Raises: UserError: missing folder, too few pictures, or one picture in two splits.
    """
    if data.name == "photos":
        splits = photos(data.pictures, side, data.seed, data.resize)
        return shared(iter(splits.pictures["train"]), data.pictures, []) if data.splits == "shared" else splits
    assert data.root is not None  # the config's cross-check
    skipped: list[str] = []
    found = folder.pictures(Path(data.root), side, data.crop, data.resize, skipped)
    return (shared if data.splits == "shared" else deal)(found, data.pictures, skipped)
