"""Where the boundary is felt: how far in from it the response to a constant image is not what it would be without."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equivariance.audit.maps import followed, maps
from equivariance.audit.watching import watched
from equivariance.boundary import Bounded, unwrap
from equivariance.errors import UserError, reason
from equivariance.library.structure import evaluating, with_conv
from equivariance.models import FeatureMap
from equivariance.models.classifier import rule

# Side in pixels of the image without an edge; there every pixel says the same.
ENDLESS = 8
# Times the precision of float64: what rounding may add, as a share of a map's largest entry.
ROUNDING = 4096
# What lies outside the map is taken from inside: the same constant.
CONTINUING = ("circular", "reflect", "replicate")
# Most rows and columns of a layer's picture.
PICTURE = 28
Depth = tuple[int, int]  # units before and after


@dataclass(frozen=True)
class LayerEdge:
    """What one layer's response to a constant image says of the boundary.

    Args:
        layer: the module's path and class, and which of its calls where there are several.
        units: of its map, rows and columns.
        rows: how many rows at either end are changed from end to end; all of them, where none is free of the edge.
        columns: the same of columns.
        share: of the map's units that are changed, in [0, 1].
        largest: by how much at most, as a share of the map's largest entry.
        channels: how many are changed somewhere.
        of: channels there are.
        picture: of the map, at most `PICTURE` a side: in each row a hexadecimal digit a place, 0 where nothing is
            changed, f where it is changed by as much as the map's largest entry, two digits less a power of ten.
    """

    layer: str
    units: tuple[int, int]
    rows: Depth
    columns: Depth
    share: float
    largest: float
    channels: int
    of: int
    picture: tuple[str, ...] = ()

    @property
    def felt(self) -> bool:
        """Whether the boundary is felt at all."""
        return self.share > 0


@dataclass(frozen=True)
class Edge:
    """Where a network feels the boundary, layer by layer, measured with one constant image in float64.

    Args:
        constant: the image's value, as the network takes it, of each channel.
        reference: `unbounded`: what each layer answers to that image without an end, exactly; `centre`: its own unit in
            the middle, where the network cannot be run without an edge, so that a change of that unit is not seen.
        floor: share of a map's largest entry up to which a change counts as rounding.
        layers: in the order in which they run.
    """

    constant: float
    reference: str
    floor: float
    layers: tuple[LayerEdge, ...]

    @property
    def first(self) -> LayerEdge | None:
        """The first layer that feels the boundary; None: none does."""
        return next((layer for layer in self.layers if layer.felt), None)


def edge(model: nn.Module, input_size: int, channels: int = 3, constant: float = 1.0) -> Edge:
    """How far in from the edge each layer's response to a constant image differs from that without an edge.

    Not for: what the edge does to pictures; nor for networks that pad by repeating what is inside, to which a constant
    shows no edge.

    Args:
        model: maps images [N, channels, H, W] to anything; run as a copy in float64 and eval mode. Of `with_conv`, too.
        input_size: pixels a side.
        channels: of the images.
        constant: of each of them; not 0, which is what networks pad with.
    Raises: UserError: its rule continues a constant; it has no weights, cannot be copied, fails on such an image, or
        answers with what is not finite.
    Source: Alsallakh et al. 2021 (arXiv 2010.02178), on the maps that a constant image leaves.
    """
    if isinstance(model, FeatureMap) and rule(model.conv).outside in CONTINUING:
        raise UserError(f"a constant image shows no edge to conv={model.conv}, which continues it")
    if any(p.is_meta for p in model.parameters()):
        raise UserError("the network has no weights")
    try:
        copied = deepcopy(model).double()
    except (RuntimeError, TypeError) as error:
        raise UserError(f"the network cannot be copied ({reason(error)})") from error
    trunk, plain = followed(copied), maps(copied, input_size, channels)
    device = next((p.device for p in copied.parameters()), torch.device("cpu"))
    image = torch.full((1, channels, input_size, input_size), constant, dtype=torch.float64, device=device)
    with evaluating(copied), torch.no_grad():
        endless = _endless(trunk, image[:, :, :ENDLESS, :ENDLESS])
        found: list[LayerEdge] = []

        def look(name: str, output: Tensor) -> None:
            whole = unwrap(output)
            if name in plain and whole.shape[2] * whole.shape[3] > 1:
                found.append(_layer(name, whole[0], endless.get(name) if endless else None))

        if isinstance(copied, FeatureMap) and copied.background is None:
            copied.background = (constant,) * channels
        try:
            with watched(trunk, look):
                copied(image)
        except UserError:
            raise
        except Exception as error:  # other people's code: it may fail in any way
            raise UserError(f"fails on images of {input_size} pixels ({reason(error)})") from error
    if not found:
        raise UserError("no layer answers with a map of rows and columns")
    floor = ROUNDING * torch.finfo(torch.float64).eps
    return Edge(constant, "unbounded" if endless else "centre", floor, tuple(found))


def _endless(trunk: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """What each layer answers to an image of one colour without an end, [C]; empty where it cannot be run so."""
    found: dict[str, Tensor] = {}

    def look(name: str, output: Tensor) -> None:
        if isinstance(output, Bounded) and output.background is not None and output.form.is_plain:
            found[name] = output.background[0].flatten().clone()

    without = with_conv(trunk, "unbounded", tuple(image[0, :, 0, 0].tolist()))
    try:
        with watched(trunk, look):
            without(image)
    except Exception:  # other people's code, or an operation that has no meaning there: the centre is then compared
        return {}
    return found


def _layer(name: str, map: Tensor, expected: Tensor | None) -> LayerEdge:
    """Compares a map [C, H, W] with what it would be without an edge, [C]."""
    height, width = map.shape[1:]
    if expected is None or len(expected) != len(map):
        expected = map[:, height // 2, width // 2]
    change = (map - expected[:, None, None]).abs()
    scale = float(torch.maximum(map.abs().amax(), expected.abs().amax()))
    if not torch.isfinite(change).all():
        raise UserError(f"{name} answers with numbers that are not finite")
    differs = change > ROUNDING * torch.finfo(torch.float64).eps * scale
    units = differs.any(0)
    return LayerEdge(
        layer=name,
        units=(height, width),
        rows=_depth(units.all(1)),
        columns=_depth(units.all(0)),
        share=float(units.double().mean()),
        largest=float(change.amax()) / scale if scale else 0.0,
        channels=int(differs.flatten(1).any(1).sum()),
        of=len(map),
        picture=_picture(torch.where(differs, change, 0).amax(0), scale),
    )


def _picture(change: Tensor, scale: float) -> tuple[str, ...]:
    """Changes [H, W] as `LayerEdge.picture` has them; each place shows the largest of its units."""
    sides = tuple(min(PICTURE, side) for side in change.shape)
    places = nn.functional.adaptive_max_pool2d(change[None, None] / (scale or 1.0), sides)[0, 0]
    digits = (15 + 2 * places.clamp_min(1e-300).log10()).round().clamp(1, 15) * (places > 0)
    return tuple("".join(f"{int(digit):x}" for digit in row) for row in digits.tolist())


def _depth(lines: Tensor) -> Depth:
    """How many lines at either end are changed, until the first that is not."""
    free = (~lines).nonzero().flatten().tolist()
    return (free[0], len(lines) - 1 - free[-1]) if free else (len(lines), len(lines))
