"""Pictures, and the splits made of them, disjoint by construction.

A data set is a function `pictures(data, side, skipped) -> Iterator[Picture]`: `data` is its section of the config,
`side` the pixels a side that its pictures have, and `skipped` takes a line for each file that cannot be used. It gives
pictures in a fixed order, lazily. The house deals them to the splits, keeps groups together, and refuses one picture in
two splits.

    from equivariance.data import Picture, dataset

    @dataset("mine")
    def mine(data, side, skipped):
        for path in sorted(Path(data.root).glob("*.png")):
            yield Picture(cut(path, side), source=path.name, group=path.name[:3])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from equivariance.config.data import Pictures
from equivariance.data.folder import fingerprint as folder_fingerprint
from equivariance.data.splits import SPLITS, Picture, Splits, deal, shared
from equivariance.errors import UserError
from equivariance.registries import DATA, DataSet
from sweeps.registry import resolved

if TYPE_CHECKING:
    Source = Callable[[Pictures, int, list[str]], Iterator[Picture]]

__all__ = ["SPLITS", "Picture", "Pictures", "Splits", "dataset", "folder_fingerprint", "load_pictures"]


def dataset(name: str, schema: type[Pictures] = Pictures, rooted: bool = False) -> Callable[[Source], Source]:
    """Registers a function as a data set.

    Args:
        name: in the config, `data.name`.
        schema: its section of the config, for keys of its own.
        rooted: whether it reads the folder `data.root`, whose contents are then part of a run's identity.
    """

    def registered(pictures: Source) -> Source:
        DATA.add(name, DataSet(pictures, schema, rooted))
        return pictures

    return registered


def load_pictures(data: Pictures, side: int) -> Splits:
    """The source pictures of a run.

    Args:
        data: which source, how many per split, and how they are cut.
        side: pixels a side of the pictures.
    Raises: UserError: missing folder, too few pictures, one picture in two splits, or none of the kind that is asked.
    """
    skipped: list[str] = []
    found = resolved(DATA.get(data.name).pictures)(data, side, skipped)
    if not isinstance(found, Iterable):
        raise UserError(f"data.name={data.name}: gives {type(found).__name__}; allowed: pictures, one after another")
    pictures = (_checked(picture, data.name, side) for picture in found)
    return (shared if data.splits == "shared" else deal)(pictures, data.pictures, skipped)


def _checked(picture: Any, name: str, side: int) -> Picture:
    if not isinstance(picture, Picture):
        told = type(picture).__name__
    else:
        pixels: Any = picture.pixels
        kind = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        if kind == f"uint8 [{side}, {side}, 3]" and picture.split in (None, *SPLITS):
            return picture
        told = f"a Picture of {kind}, split={picture.split}"
    raise UserError(
        f"data.name={name}: gives {told}; allowed: a Picture of uint8 [{side}, {side}, 3],"
        f" split={', '.join(SPLITS)} or None"
    )
