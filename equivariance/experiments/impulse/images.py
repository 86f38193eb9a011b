"""Two images of one bright pixel: at the upper left corner (class 1) and at the bottom right one (class 2)."""

from __future__ import annotations

import torch
from torch import Tensor


def images(side: int) -> Tensor:
    """One pixel of value 1 on 0.

    Args:
        side: pixels.
    Returns: float32 [2, 1, side, side].
    Source: Kayhan & van Gemert 2020, figure 2.
    """
    pixels = torch.zeros(2, 1, side, side)
    pixels[0, 0, 0, 0] = pixels[1, 0, -1, -1] = 1
    return pixels
