"""For tests of one's own: a network that must not know where a picture lies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivariance import theory
from equivariance.data.quadrant import Quadrant
from equivariance.errors import UserError
from equivariance.library.padding import even_sizes, padding
from equivariance.library.structure import evaluating, structural
from equivariance.tiles import halo as halo_of


def assert_position_blind(
    model: nn.Module,
    border: int = 0,
    picture: int = 56,
    canvas: int = 120,
    channels: int = 3,
    tolerance: float = 1e-4,
) -> None:
    """Fails where a network's output depends on which of two places of an empty canvas shows a picture.

    Passes at once where the structure proves it; otherwise noise is shown at both places. Not for: networks whose
    output is a map, which says where things are by design.

    Args:
        model: maps images [N, C, H, W] to [N, …] without space; left in the mode in which it is. Of `with_conv`, too.
        border: pixels of empty canvas on each side.
        picture: pixels a side.
        canvas: pixels a side, without the border.
        channels: of the images.
        tolerance: share of the output's largest entry that counts as rounding.
    Raises: AssertionError: says by how much the outputs differ, and the first module whose output does.

    >>> from torchvision.models import resnet18
    >>> assert_position_blind(resnet18(), border=433)
    """
    __tracebackhide__ = True
    task = Quadrant(picture, canvas, border, (0.0,) * channels)
    network, edgeless, phaseless = structural(model)
    with evaluating(model), torch.no_grad():
        if theory.certified(network, task, edgeless, channels, phaseless):
            return
        weights = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        noise = torch.randn(1, channels, picture, picture, generator=torch.Generator().manual_seed(0))
        images = task.both(noise.to(weights)).dense()
        seen: dict[str, float] = {}
        hooks = [m.register_forward_hook(_watch(name, seen)) for name, m in model.named_modules() if name]
        try:
            apart = _apart(model(images))
        finally:
            for hook in hooks:
                hook.remove()
    first = next((name for name, value in seen.items() if value > tolerance), "the model itself")
    assert apart <= tolerance, (
        f"the outputs for two places of a picture differ by {100 * apart:.2g} % of the largest at border {border};"
        f" first to differ: {first}"
    )


def assert_even_padding(model: nn.Module, input_size: int, channels: int = 3) -> None:
    """Fails where some layer uses more padding on one side of its map than on the other, on images of this size.

    Not for: padding by concatenation, which is content to every reader.

    Args:
        model: maps images [N, channels, H, W] to anything; left as it is.
        input_size: pixels a side.
        channels: of the images.
    Raises: AssertionError: names the first layer that does, and the nearest sizes at which none does. UserError: the
        network cannot be followed to its end, or fails on images of that size, so that nothing can be said.
    Source: Alsallakh et al. 2021 (arXiv 2010.02178).

    >>> from torchvision.models import resnet18
    >>> assert_even_padding(resnet18(), 225)
    """
    __tracebackhide__ = True
    found = padding(model, input_size, channels)
    if not found.uneven and found.unseen:
        raise UserError(f"padding on images of {input_size} pixels: {found.unseen}")
    if found.uneven:
        sizes = sorted({s for s in even_sizes(model, input_size, channels=channels) if s is not None})
        way_out = f"even at {' and '.join(map(str, sizes))} pixels" if sizes else "no size nearby is even"
        raise AssertionError(f"on images of {input_size} pixels, {found.uneven[0]}; {way_out}")


def assert_exact_tiles(
    model: nn.Module, halo: int | None = None, channels: int = 3, dims: int = 2, output: str | None = None
) -> None:
    """Fails where no tiles of an image can give the output that the whole image gives, or not with this halo.

    Not for: networks whose output is no map.

    Args:
        model: maps images [N, channels, *space] to a map; in the mode in which it is, left as it is.
        halo: pixels that the tiles have around what is kept, on each side; None: any.
        channels: of the images.
        dims: axes of space, 1 to 3.
        output: see `equivariance.halo`.
    Raises: AssertionError: names the first layer that forbids exact tiles, or the halo that is needed. UserError: the
        model fails on images, or its output is no map.

    >>> from torch import nn
    >>> assert_exact_tiles(nn.Conv2d(3, 1, 5, padding=2), halo=2)
    """
    __tracebackhide__ = True
    found = halo_of(model, channels, dims, output)
    assert found.exact, f"no tiles are exact: {found.reasons[0]}"
    needed = max(*found.before, *found.after)
    assert halo is None or needed <= halo, f"a halo of {halo} pixels is too small: tiles need {needed} to be exact"


def _watch(name: str, seen: dict[str, float]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a hook
    def hook(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() > 1 and len(output) == 2:
            seen.setdefault(name, _apart(output))

    return hook


def _apart(output: Tensor) -> float:
    """By how much the outputs for both places differ, of their largest entry; of maps, maxima and minima over space."""
    if output.dim() > 2:
        flat = output.flatten(2)
        output = torch.cat([flat.amax(2), flat.amin(2)], 1)
    return float((output[1] - output[0]).abs().max() / output.abs().max().clamp_min(torch.finfo(output.dtype).tiny))
