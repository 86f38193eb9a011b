"""Exactly what a network computes on a batch of mostly-background images, at a cost that does not grow with them.

`place` lays pictures on an empty canvas; an unmodified nn.Module runs on the result. Reading order: axes (integer
geometry) · pieces (ground and windows) · canvas (the type) · placing · sliding, then one file per family of ops.
"""

from . import convolution as convolution  # each of these files registers the ops it knows
from . import indexing as indexing
from . import merging as merging
from . import normalisation as normalisation
from . import pixelwise as pixelwise
from . import pointwise as pointwise
from . import pooling as pooling
from . import reduction as reduction
from .canvas import Canvas
from .cost import Cost, Work, cost, work
from .errors import CanvasUnsupported
from .placing import place

__all__ = ["Canvas", "CanvasUnsupported", "Cost", "Work", "cost", "place", "work"]
