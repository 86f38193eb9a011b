"""Which padding a network uses on images of some size: where a stride leaves a row out, kernels see one side more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from equivariance.errors import UserError, reason
from equivariance.library.structure import evaluating
from equivariance.ops import Kernel, Pad, Pixelwise, Slide, Unknown, calling_module
from equivariance.ops.call import describe, maps_among, op_name
from equivariance.reach import Reach, Unseen, reach

Pairs = tuple[tuple[int, int], ...]  # before and after, one an axis
# Sizes on either side of the wanted one among which an even one is looked for, where a network's period is larger.
WIDEST = 128


@dataclass(frozen=True)
class LayerPadding:
    """The padding of one layer that slides a kernel; all tuples hold one pair an axis: before and after it.

    Args:
        layer: the operation, the layer's path and class.
        padded: entries of padding that the layer is given, its own and that of a call before it.
        used: entries beyond the map that some tap of the kernel takes; more than `padded` where a pool overhangs.
        dropped: entries of the map itself, at its ends, that no tap takes.
    """

    layer: str
    padded: Pairs
    used: Pairs
    dropped: Pairs

    @property
    def even(self) -> bool:
        """Whether as much padding is used before the map as after it, along all axes."""
        return all(before == after for before, after in self.used)

    @property
    def unused(self) -> Pairs:
        """Entries of padding that no tap takes."""
        both = zip(self.padded, self.used, strict=True)
        return tuple((max(0, p[0] - u[0]), max(0, p[1] - u[1])) for p, u in both)

    def __str__(self) -> str:
        said = "; ".join(
            f"{axis}: {used[0]} and {used[1]} of {padded[0]} and {padded[1]}"
            for axis, used, padded in zip(_axes(len(self.used)), self.used, self.padded, strict=True)
            if used[0] != used[1]
        )
        return f"{self.layer} uses padding unevenly ({said})" if said else f"{self.layer} uses padding evenly"


@dataclass(frozen=True)
class Padding:
    """The padding of a network on images of one size.

    Args:
        size: pixels a side of the image.
        layers: those that slide a kernel, in the order in which they run.
        unseen: why the network could not be followed to its end; None: it was, so these are all layers.
    """

    size: int
    layers: tuple[LayerPadding, ...]
    unseen: str | None = None

    @property
    def uneven(self) -> tuple[LayerPadding, ...]:
        """The layers that use more padding on one side than on the other."""
        return tuple(layer for layer in self.layers if not layer.even)


def padding(model: nn.Module, input_size: int, channels: int = 3) -> Padding:
    """Which padding each layer uses on images of one size, from the network's structure alone.

    Not for: padding by concatenation, which is content to every reader; transposed convolutions, whose padding cuts.

    Args:
        model: maps images [N, channels, H, W] to anything; read in eval mode, left as it is.
        input_size: pixels a side.
        channels: of the images.
    Raises: UserError: the network fails on images of that size.
    Source: Alsallakh et al. 2021 (arXiv 2010.02178), on uneven padding; counted here tap by tap.

    >>> from torchvision.models import resnet18
    >>> print(padding(resnet18(), 224).uneven[0])
    conv2d in conv1 (Conv2d) uses padding unevenly (rows: 3 and 2 of 3 and 3; columns: 3 and 2 of 3 and 3)
    >>> padding(resnet18(), 225).uneven
    ()
    """
    return _followed(model, input_size, channels, _Watch())


def _followed(model: nn.Module, input_size: int, channels: int, watch: _Watch) -> Padding:
    unseen = None
    with torch.no_grad(), evaluating(model):
        try:
            with watch:
                reach(model, input_size, input_size, channels=channels)
        except Unseen as error:
            unseen = str(error).removesuffix("; no certificate for this network")
            unseen = None if "ends in no feature map" in unseen else unseen  # followed to its end all the same
        except UserError:
            raise
        except Exception as error:  # other people's code: it may fail in any way
            raise UserError(f"the model fails on images of {input_size} pixels: {reason(error)}") from error
    return Padding(input_size, tuple(watch.layers), unseen)


def even_sizes(model: nn.Module, near: int, period: int = WIDEST, channels: int = 3) -> tuple[int | None, int | None]:
    """The nearest image sizes at which every layer uses its padding evenly: up to `near`, and from it on.

    Args:
        model: as in `padding`.
        near: pixels a side.
        period: pixels after which what is even repeats; the network's total stride.
        channels: of the images.
    Returns: Pixels; None where there is none within a period, or the network cannot be followed to its end.
    Source: Alsallakh et al. 2021 (arXiv 2010.02178); they advise such sizes.

    >>> from torchvision.models import resnet18
    >>> even_sizes(resnet18(), 224, period=32)
    (193, 225)
    """

    def even(size: int) -> bool:
        try:
            found = _followed(model, size, channels, _Watch(until_uneven=True))
        except UserError:  # uneven, or a size on which the network does not run
            return False
        return found.unseen is None and not found.uneven

    span = min(period, WIDEST) + 1
    below = next((size for size in range(near, max(near - span, 0), -1) if even(size)), None)
    return below, near if below == near else next((size for size in range(near + 1, near + span) if even(size)), None)


@lru_cache(4096)
def taken(kernel: Kernel, size: int, outputs: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Entries beyond either end of an axis that some tap takes, and those inside, at the ends, that none does."""
    taps = {j * kernel.stride + t * kernel.dilation for j in range(outputs) for t in range(kernel.size)}
    places = sorted(tap - kernel.before for tap in taps)
    inside = [p for p in places if 0 <= p < size]
    beyond = sum(p < 0 for p in places), sum(p >= size for p in places)
    return beyond, (inside[0], size - 1 - inside[-1]) if inside else (size, 0)


class _Watch(TorchFunctionMode):
    """Notes the layers that slide a kernel, and what padding by calls before them they are given.

    Args:
        until_uneven: whether the first that uses its padding unevenly ends it, by a UserError.
    """

    def __init__(self, until_uneven: bool = False) -> None:
        super().__init__()
        self.layers: list[LayerPadding] = []
        self.until_uneven = until_uneven

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        maps = [m for m in maps_among((*args, *kwargs.values())) if isinstance(m, Reach)]
        if not maps:
            return func(*args, **kwargs)
        margin, sides = getattr(maps[0], "margin", None), tuple(s.size for s in maps[0].sights)
        found = func(*args, **kwargs)
        parts = [p for p in (found if isinstance(found, tuple) else (found,)) if isinstance(p, Reach)]
        if parts:
            self._look(func, args, kwargs, maps, parts, margin, sides)
        return found

    def _look(
        self, func: Any, args: Any, kwargs: Any, maps: Any, parts: Any, margin: Pairs | None, sides: tuple[int, ...]
    ) -> None:
        try:
            call = describe(func, args, kwargs, tuple(maps))
        except Unknown:  # a reader's own meaning: nothing that slides
            return
        now = None
        if isinstance(call.description, Slide):
            said = f"{op_name(func)} in {calling_module()}"
            units = tuple(s.size for s in parts[0].sights)
            self.layers.append(_layer(said, call.description.kernels, sides, units, margin))
            if self.until_uneven and not self.layers[-1].even:
                raise UserError(str(self.layers[-1]))
        elif isinstance(call.description, Pad):
            now = tuple((max(b, 0), max(a, 0)) for b, a in call.description.sides)
            now = tuple((b + c, a + d) for (b, a), (c, d) in zip(now, margin, strict=True)) if margin else now
        elif isinstance(call.description, Pixelwise):
            now = margin
        for part in parts:
            part.margin = now


def _layer(
    said: str, kernels: tuple[Kernel, ...], sides: tuple[int, ...], units: tuple[int, ...], margin: Pairs | None
) -> LayerPadding:
    padded, used, dropped = [], [], []
    for axis, (kernel, side, count) in enumerate(zip(kernels, sides, units, strict=True)):
        before, after = margin[axis] if margin else (0, 0)
        whole = Kernel(kernel.size, kernel.stride, kernel.dilation, kernel.before + before)
        beyond, inside = taken(whole, side - before - after, count)
        padded.append((kernel.before + before, kernel.after + after))
        used.append(beyond)
        dropped.append(inside)
    return LayerPadding(said, tuple(padded), tuple(used), tuple(dropped))


def _axes(count: int) -> Iterator[str]:
    return iter(("time", "rows", "columns")[-count:] if count > 1 else ("rows",))
