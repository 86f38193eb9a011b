"""Pictures with a class each, in splits without a common picture, for experiments that train classifiers.

`load(config.data)["train"].pixels[torch.tensor([0, 7])]` is float [2, 3, side, side], in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.config.labelled import LabelledFolder
from equivariance.data.labelled import idx, memory, photos, tree
from equivariance.data.labelled.augment import augmented
from equivariance.data.labelled.labelled import Labelled, Pixels

if TYPE_CHECKING:
    from pathlib import Path

    from equivariance.config.labelled import Labelled as Section

__all__ = ["Labelled", "Pixels", "augmented", "held", "load"]


def load(data: Section, look: bool = True) -> dict[str, Labelled]:
    """The pictures of each of SPLITS; none is in two of them.

    Args:
        data: the data set.
        look: whether each file of the training split is read once, to know that it can be used; otherwise that is asked
            of the split's `flaws`, of those that are wanted.
    Raises: UserError: a folder that cannot be read, or more images asked for than there are.
    """
    if isinstance(data, LabelledFolder):
        return tree.load(data, look)
    return photos.load(data) if data.name == "labelled_photos" else memory.load(data)


def held(data: Section) -> list[Path]:
    """The files of the folder `data.root` that decide what the pictures are, where nothing else vouches for them.

    Raises: UserError: a folder that cannot be read, or is not laid out as it must be.
    """
    if isinstance(data, LabelledFolder):
        return tree.held(data)
    place = idx.folder(str(data.root)) if data.name == "fashion_mnist" else None
    return idx.files(place) if place else []
