"""What a run of the quadrant experiment is."""

from typing import Literal

from equivariance.experiments.location.config import Location, LocationRun


class Quadrant(Location):
    """Whether the place can be told at one border."""

    name: Literal["quadrant"]


class QuadrantRun(LocationRun):
    """One run of the quadrant experiment."""

    experiment: Quadrant
