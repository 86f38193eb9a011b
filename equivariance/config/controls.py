"""Controls of cost and of map, since full convolution takes several times the multiply-adds and pools a larger map.

- `margin`: same convolution of an image in a wider margin of background, so that its last map is as large as full's.
- `width`: same convolution in a wider network, of as many multiply-adds as full's.
- `crop`: full or unbounded convolution whose last map is cropped to the places that same convolution has.
"""

from __future__ import annotations

from typing import Literal

Control = Literal["none", "margin", "width", "crop"]
# Convolution types whose map is that of `same` or of `full`, to which each control is applied.
CONTROLLED = {"margin": ("same",), "width": ("same",), "crop": ("full", "unbounded")}


def complaint(control: Control, conv: str) -> str | None:
    """What is wrong with a control of a convolution type; None: nothing."""
    types = CONTROLLED.get(control, (conv,))
    if conv in types:
        return None
    return f"experiment.control={control}: allowed with conv={' | '.join(types)}, not with conv={conv}"
