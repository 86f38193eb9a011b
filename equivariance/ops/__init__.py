"""One vocabulary of operations: what a torch call *is*, for every reader of a network.

`describe` turns a call (function, arguments, keywords) into a `Call`: a description and the maps it is about. Three
readers give descriptions a meaning and parse nothing: `canvas` (values), `boundary` (place), `reach` (sight).
Reading order: layout · descriptions · call (finding the maps) · then one file per family of torch functions.
"""

from equivariance.ops import blocks as blocks  # each of these files registers the functions it reads
from equivariance.ops import channels as channels
from equivariance.ops import indexing as indexing
from equivariance.ops import joining as joining
from equivariance.ops import moving as moving
from equivariance.ops import pixels as pixels
from equivariance.ops import reducing as reducing
from equivariance.ops import reshaping as reshaping
from equivariance.ops import sliding as sliding
from equivariance.ops import spreading as spreading
from equivariance.ops.call import describe
from equivariance.ops.descriptions import (
    Answer,
    Call,
    Crop,
    Description,
    Kernel,
    Normalise,
    Pad,
    Pixelwise,
    Pool,
    Resample,
    Slide,
    Spread,
    Unknown,
    Unroll,
    Upsample,
)
from equivariance.ops.layout import Layout
from equivariance.ops.map import Map
from equivariance.ops.running import reading, uncompiled
from equivariance.ops.where import calling_module

__all__ = [
    "Answer",
    "Call",
    "Crop",
    "Description",
    "Kernel",
    "Layout",
    "Map",
    "Normalise",
    "Pad",
    "Pixelwise",
    "Pool",
    "Resample",
    "Slide",
    "Spread",
    "Unknown",
    "Unroll",
    "Upsample",
    "calling_module",
    "describe",
    "reading",
    "uncompiled",
]
