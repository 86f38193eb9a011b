"""The questions of this project asked of any nn.Module, without a config: proved, measured, asserted."""

from equivariance.canvas import place
from equivariance.library.assertions import assert_position_blind
from equivariance.library.position import LeakDistance, PositionAccuracy, leak_distance, position_accuracy
from equivariance.library.structure import ReceptiveField, certified_border, receptive_field, with_conv

__all__ = [
    "LeakDistance",
    "PositionAccuracy",
    "ReceptiveField",
    "assert_position_blind",
    "certified_border",
    "leak_distance",
    "place",
    "position_accuracy",
    "receptive_field",
    "with_conv",
]
