"""Videos with a class each, in splits without a common source, for experiments that train classifiers of clips.

Reading order: films (what a split is) · moving (made of photographs) · decoders, frames (files) · groups, lists, tree
(folders) · sampling (clips of videos, cropped).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.config.clips import Moving, Videos
from equivariance.data.clips import moving, tree
from equivariance.data.clips.films import Films

if TYPE_CHECKING:
    from equivariance.config.clips import Films as Section

__all__ = ["Films", "load"]


def load(data: Section) -> dict[str, Films]:
    """The videos of each of SPLITS, and perhaps `alike`: the test's with what misleads as it is in training.

    Raises: UserError: data that cannot be had.
    """
    if isinstance(data, Moving):
        return moving.load(data)
    assert isinstance(data, Videos)
    return tree.load(data)
