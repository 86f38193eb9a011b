"""What a run may name besides its experiment: convolution types and data sets. What they do is imported when needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.registry import Registry, resolved

if TYPE_CHECKING:
    from equivariance.config.base import Kinds


@dataclass(frozen=True)
class DataSet:
    """Source pictures; the house splits, hashes and places them.

    Args:
        pictures: `pictures(data, side, skipped) -> Iterator[Picture]`, or the text `module:name`, see
            equivariance/data/__init__.py.
        schema: its section of the config, a `Pictures`, or the text `module:name`.
        rooted: whether it reads the folder `data.root`.
    """

    pictures: Any
    schema: Any = "equivariance.config.data:Pictures"
    rooted: bool = False


# A type of one's own adds its `equivariance.boundary.Rule`.
CONVS: Registry[Any] = Registry(
    "equivariance.convs",
    dict.fromkeys(("same", "valid", "full", "unbounded", "circular", "reflect", "replicate", "partial")),
)
DATA: Registry[DataSet] = Registry(
    "equivariance.data",
    {
        "photos": DataSet("equivariance.data.photos:photos"),
        "folder": DataSet("equivariance.data.folder:pictures", rooted=True),
        "imagenet": DataSet("equivariance.data.folder:pictures", rooted=True),
    },
)


def data_kinds() -> Kinds:
    """The section of the config of every data set."""
    return {name: resolved(DATA.get(name).schema) for name in DATA.names()}
