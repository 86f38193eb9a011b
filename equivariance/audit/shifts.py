"""What a shift does layer by layer: a map of the moved picture beside the moved map, both sampled at the same phase."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.audit.maps import strides
from equivariance.audit.watching import watched
from equivariance.canvas import CanvasUnsupported, place
from equivariance.errors import UserError, reason
from equivariance.library.structure import evaluating
from equivariance.models import FeatureMap

AT_ONCE = 8  # pictures on canvases; dense images are run one by one
FLOOR = 1e-5  # share that is rounding in float32


@dataclass(frozen=True)
class LayerShift:
    """How far one layer's map is from moving with the picture.

    Args:
        layer: the module's path and class.
        error: root mean square of the difference between the map of the moved picture and the moved map, over the units
            that both have, as a share of the map's own root mean square.
    """

    layer: str
    error: float


@dataclass(frozen=True)
class Shifts:
    """Pictures in the corner moved away from it by a whole period, so that what differs is the boundary's doing alone.

    Args:
        moved: pixels, down and to the right.
        pictures: how many.
        floor: error that is rounding.
        layers: in the order in which they run.
    """

    moved: int
    pictures: int
    floor: float
    layers: tuple[LayerShift, ...]

    @property
    def worst(self) -> LayerShift:
        """The layer that is farthest from moving with the picture."""
        return max(self.layers, key=lambda layer: layer.error)


def shifts(model: nn.Module, pictures: Tensor, input_size: int, period: int, engine: str = "auto") -> Shifts:
    """The shift error of each layer that answers with a map.

    Not for: what phases of a stride do, which is the decisions' business; crops, into which a shift brings new content.

    Args:
        model: maps images [N, C, H, W] to anything; left as it is. Not of `with_conv`.
        pictures: float [n, C, side, side], normalised; the canvas around them is 0.
        input_size: pixels a side of the canvas.
        period: pixels after which what the network computes repeats; pictures are moved by it.
        engine: `dense`, or `auto`: on canvases where the network has a form on them, with the same numbers.
    Raises: UserError: the model is of `with_conv`, fails on such images, or the pictures do not fit twice.
    Source: after EQ-T (Karras et al. 2021, arXiv 2106.12423, eq. 4), here layer by layer and as a share.
    """
    side, channels = pictures.shape[-1], pictures.shape[1]
    if isinstance(model, FeatureMap):
        raise UserError("its maps are those of another boundary; allowed: the network as it is")
    if side + period > input_size:
        raise UserError(f"pictures of {side} pixels cannot be moved by {period}, the period, on {input_size}")
    units = {name: int(period / Fraction(stride)) for name, stride in strides(model, input_size, channels).items()}
    if not units:
        raise UserError("no layer answers with a map whose stride is known")
    corners = [(0, 0), (period, period)]
    with evaluating(model), torch.no_grad():
        try:
            if engine == "dense":
                raise CanvasUnsupported("as asked")
            sums = _summed(model, pictures, input_size, corners, units, AT_ONCE)
        except CanvasUnsupported:
            sums = _summed(model, pictures, input_size, corners, units, 0)
    layers = tuple(LayerShift(name, _root(error, own)) for name, (error, own) in sums.items())
    return Shifts(period, len(pictures), FLOOR, layers)


def _root(error: float, own: float) -> float:
    share = (error / own) ** 0.5 if own else 0.0
    return share if share > FLOOR else 0.0


def _summed(
    model: nn.Module, pictures: Tensor, side: int, corners: Any, units: dict[str, int], at_once: int
) -> dict[str, tuple[float, float]]:
    """Mean squares of the error and of the map itself, of each layer, summed over pictures; dense where 0 at once."""
    sums: dict[str, tuple[float, float]] = {}
    for part in pictures.split(at_once or 1):
        before: dict[str, Tensor] = {}

        def keep(name: str, output: Tensor, before: dict[str, Tensor] = before) -> None:
            if name in units:
                before[name] = output.clone()  # what follows may change it in place

        def compare(name: str, output: Tensor, before: dict[str, Tensor] = before) -> None:
            if name in before:
                found = tuple(map(_mean_squares, _both(before.pop(name), output, units[name])))
                sums[name] = tuple(a + b for a, b in zip(sums.get(name, (0.0, 0.0)), found, strict=True))  # type: ignore[assignment]

        for corner, look in zip(corners, (keep, compare), strict=True):
            images: Tensor = place(part, side, [corner] * len(part), (0.0,) * part.shape[1])
            _run(model, images if at_once else images.dense(), look)  # type: ignore[attr-defined]
    return sums


def _both(before: Tensor, after: Tensor, by: int) -> tuple[Tensor, Tensor]:
    rows, columns = before.shape[2] - by, before.shape[3] - by
    moved = before[:, :, :rows, :columns]
    return after[:, :, by:, by:] - moved, moved


def _mean_squares(map: Tensor) -> float:
    return float((map * map).mean((2, 3)).mean(1).sum())


def _run(model: nn.Module, images: Tensor, look: Any) -> None:
    try:
        with watched(model, look):
            model(images)
    except (UserError, CanvasUnsupported):
        raise
    except Exception as error:  # other people's code: it may fail in any way
        raise UserError(f"fails on images of {images.shape[-1]} pixels ({reason(error)})") from error
