"""A rook in two corners: the same picture at the upper left (class 0) and at the bottom right (class 1).

Source: Kayhan & van Gemert 2020, figure 1; sizes as theirs (16 rows, 13 columns, on 32 pixels), the drawing our own.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Grey levels 0..255 in hexadecimal: drawn as polygons lit from the left, averaged over each pixel.
DRAWING = """
7b b7 b1 5f 29 a1 9b 95 24 4b 85 7f 50
a4 f4 ec 7e 37 d6 cf c7 31 64 b1 a9 6b
a4 f4 ec a8 7a d6 cf c7 6b 86 b1 a9 6b
a4 f4 ec e5 dd d6 cf c7 c0 b8 b1 a9 6b
90 db d5 ce c7 c0 ba b3 ac a6 9f 98 5e
05 45 8f da dd d6 cf c7 c0 b0 6c 30 03
00 00 00 c5 dd d6 cf c7 c0 9f 00 00 00
00 00 00 ce dd d6 cf c7 c0 a6 00 00 00
00 00 01 df dd d6 cf c7 c0 b3 00 00 00
00 00 13 e5 dd d6 cf c7 c0 b8 0e 00 00
00 00 32 e5 dd d6 cf c7 c0 b8 27 00 00
00 28 90 e5 dd d6 cf c7 c0 b8 6d 1c 00
16 67 d8 d1 ca c3 bc b6 af a8 a1 49 0e
ef f4 ec e5 dd d6 cf c7 c0 b8 b1 a9 9a
ef f4 ec e5 dd d6 cf c7 c0 b8 b1 a9 9a
bf c2 bc b6 b0 ab a5 9f 99 93 8d 87 7b
"""


def drawing() -> Tensor:
    """The rook: float32 [16, 13] in [0, 1]."""
    rows = DRAWING.split("\n")[1:-1]
    return torch.tensor([[int(level, 16) for level in row.split()] for row in rows]) / 255


def images(side: int) -> Tensor:
    """The rook on 0, touching two edges.

    Args:
        side: pixels; at least 16.
    Returns: float32 [2, 1, side, side]: upper left, bottom right.
    """
    rook = drawing()
    rows, columns = rook.shape
    pixels = torch.zeros(2, 1, side, side)
    pixels[0, 0, :rows, :columns] = rook
    pixels[1, 0, side - rows :, side - columns :] = rook
    return pixels
