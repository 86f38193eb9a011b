"""Exactly what a network computes on a batch of mostly-background images, at a cost that does not grow with them.

`place` lays pictures on an empty canvas; an unmodified nn.Module runs on the result. Reading order: axes (integer
geometry) · pieces (ground and windows) · canvas (the type) · placing · then a file for each family of descriptions.
"""

from . import indexing as indexing  # each of these files registers what it means on a canvas
from . import normalisation as normalisation
from . import pixelwise as pixelwise
from . import reduction as reduction
from . import sliding as sliding
from .canvas import Canvas
from .cost import Cost, Work, cost, work
from .errors import CanvasUnsupported
from .placing import place

__all__ = ["Canvas", "CanvasUnsupported", "Cost", "Work", "cost", "place", "work"]
