"""Sweeps that ask whether a convolutional network can tell absolute position, and what removes the leak."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equivariance.audit import audit as audit
    from equivariance.library import Certificate as Certificate
    from equivariance.library import Halo as Halo
    from equivariance.library import LeakDistance as LeakDistance
    from equivariance.library import PositionAccuracy as PositionAccuracy
    from equivariance.library import ReceptiveField as ReceptiveField
    from equivariance.library import assert_even_padding as assert_even_padding
    from equivariance.library import assert_exact_tiles as assert_exact_tiles
    from equivariance.library import assert_position_blind as assert_position_blind
    from equivariance.library import certificate as certificate
    from equivariance.library import certified_border as certified_border
    from equivariance.library import halo as halo
    from equivariance.library import leak_distance as leak_distance
    from equivariance.library import place as place
    from equivariance.library import position_accuracy as position_accuracy
    from equivariance.library import receptive_field as receptive_field
    from equivariance.library import seam as seam
    from equivariance.library import tiled as tiled
    from equivariance.library import train_eval_disparity as train_eval_disparity
    from equivariance.library import with_conv as with_conv

__version__ = "0.1.0"
__all__ = [
    "Certificate",
    "Halo",
    "LeakDistance",
    "PositionAccuracy",
    "ReceptiveField",
    "assert_even_padding",
    "assert_exact_tiles",
    "assert_position_blind",
    "audit",
    "certificate",
    "certified_border",
    "halo",
    "leak_distance",
    "place",
    "position_accuracy",
    "receptive_field",
    "seam",
    "tiled",
    "train_eval_disparity",
    "with_conv",
]


def __getattr__(name: str) -> Any:
    """The library's functions, loaded with torch when they are first asked for."""
    if name == "audit":  # a room, and the function that it is for
        return import_module("equivariance.audit")
    if name in __all__:
        return getattr(import_module("equivariance.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
