"""The questions of this project asked of any nn.Module, without a config: proved, measured, asserted."""

from equivariance.canvas import place
from equivariance.library.assertions import assert_even_padding, assert_exact_tiles, assert_position_blind
from equivariance.library.certificates import Certificate, certificate
from equivariance.library.position import LeakDistance, PositionAccuracy, leak_distance, position_accuracy
from equivariance.library.structure import ReceptiveField, certified_border, receptive_field, with_conv
from equivariance.tiles import Halo, halo, seam, tiled, train_eval_disparity

__all__ = [
    "Certificate",
    "Halo",
    "LeakDistance",
    "PositionAccuracy",
    "ReceptiveField",
    "assert_even_padding",
    "assert_exact_tiles",
    "assert_position_blind",
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
