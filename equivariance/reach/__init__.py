"""What each unit of a network sees, computed from the network itself: no weights, no pixels.

A `Reach` stands for a feature map and carries, per axis, which input pixels a unit sees and how many units at either
end see beyond the map's edge at some layer. Any network that runs on images runs on it.
"""

from equivariance.reach import meanings as meanings  # registers what each description means
from equivariance.reach.reach import Reach, reach
from equivariance.reach.sight import Pixels, Sight, Unseen
from equivariance.reach.summary import Pools, Summary

__all__ = ["Pixels", "Pools", "Reach", "Sight", "Summary", "Unseen", "reach"]
