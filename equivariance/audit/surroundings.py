"""True surroundings against padding: how much of each layer's map is another where the image does not end."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equivariance.audit.maps import followed, maps
from equivariance.audit.watching import watched
from equivariance.boundary import unwrap
from equivariance.errors import UserError, reason
from equivariance.finite import finite
from equivariance.library.structure import evaluating

IMAGES = 4
# Pixels of true surroundings on each side are a multiple of it, so that strides stay in phase.
STEP = 32
# Standard errors over images by which the mean change of a channel at the edge is more than chance.
ERRORS = 3.0
# Share of the map's spread below which a change is rounding.
FLOOR = 1e-4


@dataclass(frozen=True)
class LayerContrast:
    """What padding does to one layer's map.

    Args:
        layer: the module's path and class.
        contrast: root mean square of the change in the outermost ring of units, over the map's standard deviation.
        centre: the same over the middle half of the map; 0 where the padding does not reach.
        aware: channels whose mean change in that ring differs from 0 by more than `ERRORS` standard errors over images,
            and by more than half of the channel's standard deviation.
        of: channels there are.
        channels: those that are aware, by their numbers.
    """

    layer: str
    contrast: float
    centre: float
    aware: int
    of: int
    channels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Contrast:
    """Padding against true surroundings, layer by layer.

    Args:
        images: how many were shown.
        surroundings: pixels on each side that one of the two had.
        floor: contrast that is rounding.
        layers: in the order in which they run.
    """

    images: int
    surroundings: int
    floor: float
    layers: tuple[LayerContrast, ...]

    @property
    def aware(self) -> tuple[int, int]:
        """Channels of all layers that know padding when they see it, and how many there are."""
        return sum(layer.aware for layer in self.layers), sum(layer.of for layer in self.layers)


def contrast(model: nn.Module, input_size: int, channels: int = 3, seed: int = 0) -> Contrast:
    """Each layer's response to an image that ends, less that to the same image as a part of a larger one.

    The images are noise whose neighbouring pixels are alike (a spectrum of 1/f, as photographs have). Not for: what
    photographs would show, whose edges are no others than their middles either; networks without padding, which show
    no contrast by construction.

    Args:
        model: maps images [N, channels, H, W] to anything; run as a copy in eval mode.
        input_size: pixels a side.
        channels: of the images.
        seed: of the noise.
    Raises: UserError: it has no weights, or fails on such images. NotFinite: a layer's output is not.
    Source: after Lin et al. 2023 (arXiv 2206.01202), PPP; channels: Garcia-Gasulla et al. 2023 (2309.08048). The
        threshold of half a standard deviation is this project's.
    """
    weights = next((p for p in model.parameters() if p.is_floating_point()), None)
    if weights is None or weights.is_meta:
        raise UserError("the network has no weights")
    margin = max(STEP, -(-input_size // (2 * STEP)) * STEP)
    large = _noise(IMAGES, channels, input_size + 2 * margin, seed).to(weights)
    inner = large[:, :, margin : margin + input_size, margin : margin + input_size].contiguous()
    copied = deepcopy(model)
    trunk, plain = followed(copied), maps(copied, input_size, channels)
    here: dict[str, list[Tensor]] = {}
    true: dict[str, list[Tensor]] = {}

    def ends(name: str, output: Tensor) -> None:
        found = unwrap(output)
        if name in plain and min(found.shape[2:]) > 1:
            here.setdefault(name, []).append(found.clone())  # what follows may change it in place

    def goes_on(name: str, output: Tensor) -> None:
        found = unwrap(output)
        if name in here and found.dim() == 4:
            true.setdefault(name, []).append(_middle(found, here[name][0].shape))

    with evaluating(copied), torch.no_grad():
        for images, look in ((inner, ends), (large, goes_on)):
            for image in images.split(1):
                with watched(trunk, look):
                    _run(copied, image)
    layers = (_layer(name, torch.cat(true[name]), torch.cat(maps)) for name, maps in here.items() if name in true)
    return Contrast(IMAGES, margin, FLOOR, tuple(layer for layer in layers if layer))


def _run(model: nn.Module, image: Tensor) -> None:
    try:
        model(image)
    except UserError:
        raise
    except Exception as error:  # other people's code: it may fail in any way
        raise UserError(f"fails on images of {image.shape[-1]} pixels ({reason(error)})") from error


def _middle(map: Tensor, shape: torch.Size) -> Tensor:
    """The units of a larger image's map [1, C, h, w] that lie where those of this shape do, if there are any."""
    before = [(a - b) // 2 for a, b in zip(map.shape[2:], shape[2:], strict=True)]  # an odd one more lies behind
    y, x = (max(0, b) for b in before)
    return map[:, :, y : y + shape[2], x : x + shape[3]].clone()


def _noise(count: int, channels: int, side: int, seed: int) -> Tensor:
    """Images [count, channels, side, side] with a spectrum of 1/f, mean 0, deviation 1."""
    white = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    across, down = torch.fft.rfftfreq(side), torch.fft.fftfreq(side)
    frequency = (across[None] ** 2 + down[:, None] ** 2).sqrt().clamp_min(1 / side)
    images = torch.fft.irfft2(torch.fft.rfft2(white) / frequency, s=(side, side))
    return (images - images.mean((2, 3), keepdim=True)) / images.std((2, 3), keepdim=True)


def _layer(name: str, true: Tensor, here: Tensor) -> LayerContrast | None:
    """Compares maps [n, C, h, w] with those that have true surroundings; None where they cannot be compared."""
    if true.shape != here.shape:
        return None
    true = true.double()
    change, spread = here.double() - true, true.std()
    finite(change, f"the output of {name}")
    if not spread > 0:
        return None
    rows, columns = (min(n // 4, (n - 1) // 2) for n in here.shape[2:])
    ring = torch.ones(here.shape[2:], dtype=torch.bool, device=here.device)
    ring[1:-1, 1:-1] = False
    middle = change[:, :, rows : here.shape[2] - rows, columns : here.shape[3] - columns]
    at_edge = change[:, :, ring].mean(2)  # [n, C]
    error = at_edge.std(0) / len(at_edge) ** 0.5
    own = true.std((0, 2, 3)).clamp_min(FLOOR * spread)
    aware = (at_edge.mean(0).abs() > ERRORS * error) & (at_edge.mean(0).abs() > 0.5 * own)
    contrasts = [float(part.square().mean().sqrt() / spread) for part in (change[:, :, ring], middle)]
    edge, centre = (c if c > FLOOR else 0.0 for c in contrasts)
    which = tuple(aware.nonzero().flatten().tolist()) if edge else ()
    return LayerContrast(name, edge, centre, len(which), here.shape[1], which)
