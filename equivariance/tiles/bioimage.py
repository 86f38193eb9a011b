"""The halo in the terms of the BioImage Model Zoo's specification."""

from __future__ import annotations

from equivariance.reach import Pixels
from equivariance.tiles.halo import Halo

NAMES = ("z", "y", "x")


def bioimageio(halo: Halo) -> str:
    """The axes of space of input and output, as YAML for a model description.

    The specification's halo is in units of the output, the same at both ends, and tiles start at multiples of the tile
    without it: so it is the larger one, up to the next multiple of the grid.

    Args:
        halo: an exact one.
    Source: bioimage.io model description 0.5, ParameterizedSize, SizeReference and SpaceOutputAxisWithHalo.
    """
    inputs, outputs = ["inputs:", "  - id: image", "    axes:"], ["outputs:", "  - id: output", "    axes:"]
    axes = zip(halo.margin, halo.grid, halo.tile, halo.scale, halo.offset, strict=True)
    for name, ((before, after), grid, tile, scale, offset) in zip(NAMES[-len(halo.grid) :], axes, strict=True):
        margin, lead = max(before, after), offset * scale
        least = max(tile, 2 * margin + grid)
        inputs.append(f"      - {{type: space, id: {name}, size: {{min: {least}, step: {grid}}}}}")
        outputs.append(
            f"      - {{type: space, id: {name}, halo: {_plain(margin * scale - lead)},"
            f" size: {{tensor_id: image, axis_id: {name}, offset: {_plain(-2 * lead)}}}, scale: {_plain(1 / scale)}}}"
        )
    return "\n".join([*inputs, *outputs])


def _plain(number: Pixels | float) -> str:
    return f"{float(number):g}"
