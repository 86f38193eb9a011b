"""What a torch call can be. Data, no behaviour: the readers give each description its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from equivariance.ops.layout import Layout

if TYPE_CHECKING:
    from equivariance.ops.map import Map


class Unknown(Exception):  # noqa: N818 - the name says what it is
    """A call that has no description, or a description that has no meaning for a reader.

    Args:
        what: the call in words, beginning with the function's name; None: its name alone.
        reason: why it can have none, or None where it is merely not known.
    """

    def __init__(self, what: str | None, reason: str | None = None) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason


@dataclass(frozen=True)
class Kernel:
    """How a kernel slides along one axis, as the network has it.

    Args:
        size: taps.
        stride: entries from one placement to the next.
        dilation: entries from one tap to the next.
        before: entries of padding before the axis.
        after: entries of padding after it.
        ceil: whether a last placement may reach beyond the padding, if it starts before it.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Entries from the first tap to the last."""
        return (self.size - 1) * self.dilation

    @property
    def span(self) -> int:
        """Entries from the first tap to the last, inclusive."""
        return self.reach + 1


@dataclass(frozen=True)
class Pixelwise:
    """Every pixel by itself, whatever it does to the channels: activations, arithmetic, cat, linear, permute, split.

    Args:
        apply: takes one tensor for each map, in its layout, then the parts of `per_image` for the same images.
        outputs: the layout of each result; several for split and the like, where `apply` returns as many tensors.
        several: whether the call returns a tuple of them.
        per_image: ordinary tensors that differ from image to image, each with the dimension that is the batch; they
            are the same at every pixel.
        varying: whether an ordinary tensor takes part that differs from pixel to pixel.
        joins: whether it is a concatenation of maps along their channels, which some readers can do faster.
    """

    apply: Callable[..., Any]
    outputs: tuple[Layout, ...]
    several: bool = False
    per_image: tuple[tuple[Tensor, int], ...] = ()
    varying: bool = False
    joins: bool = False


@dataclass(frozen=True)
class Slide:
    """A kernel that slides over a plain map [N, C, *space]: convolution and pooling.

    Args:
        kind: `convolution`, `max` or `average`.
        apply: the operation without its padding, [n, C, *space] to [n, channels, *outputs]; takes another `stride`,
            another `bias` where it is a convolution, and another `divisor_override` where it is an average.
        kernels: one an axis.
        channels: C of the result.
        weight: a convolution's, else None.
        bias: a convolution's, or None.
        padding_counts: whether an average counts padding.
        divisor: what an average divides by, if not by its taps.
    """

    kind: Literal["convolution", "max", "average"]
    apply: Callable[..., Tensor]
    kernels: tuple[Kernel, ...]
    channels: int
    weight: Tensor | None = None
    bias: Tensor | None = None
    padding_counts: bool = True
    divisor: int | None = None


@dataclass(frozen=True)
class Pad:
    """Padding of space by any amounts; negative ones crop.

    Args:
        sides: (before, after) of each axis.
        mode: of torch.nn.functional.pad.
        value: what constant padding shows.
    """

    sides: tuple[tuple[int, int], ...]
    mode: str
    value: float


@dataclass(frozen=True)
class Crop:
    """A part of space: for each axis the first entry, the end and the step, as range takes them."""

    parts: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Upsample:
    """Each entry repeated so many times along each axis (interpolation by the nearest)."""

    factors: tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """A kernel that every entry of a plain map is spread over: transposed convolution.

    Args:
        kernels: one an axis; `before` and `after` are entries cut off the ends of all that is spread.
        channels: C of the result.
    """

    kernels: tuple[Kernel, ...]
    channels: int


@dataclass(frozen=True)
class Resample:
    """Entries between entries: interpolation to another number of them.

    Args:
        sizes: entries of the result along each axis.
        steps: from one entry of the result to the next, in entries of the map.
        starts: where the result's first entry lies, in entries of the map, 0 being the centre of the first.
        mode: `nearest` takes the entry at or before a place, `linear` the two around it, `cubic` four.
    """

    sizes: tuple[int, ...]
    steps: tuple[Fraction, ...]
    starts: tuple[Fraction, ...]
    mode: Literal["nearest", "linear", "cubic"]


@dataclass(frozen=True)
class Normalise:
    """Normalisation of each channel over batch and space by their own statistics: batch norm that trains.

    Args:
        apply: the call on an ordinary tensor.
        running_mean: [C] or None; updated.
        running_var: [C] or None; updated.
        weight: [C] or None.
        bias: [C] or None.
        momentum: share of the new statistics in the running ones.
        eps: added to the variance.
    """

    apply: Callable[[Tensor], Tensor]
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None
    bias: Tensor | None
    momentum: float
    eps: float


@dataclass(frozen=True)
class Pool:
    """A number, or a few bins of them, from all of space; ends the map.

    Args:
        statistic: `mean`, `sum`, `amax` (ties share the gradient evenly), `amin`, or `max` (one of them gets it).
        apply: the call on an ordinary tensor.
        bins: how many along each axis; None: as many as entries.
        keep: whether space stays as dimensions of the result.
    """

    statistic: Literal["mean", "sum", "amax", "amin", "max"]
    apply: Callable[[Tensor], Tensor]
    bins: tuple[int | None, ...]
    keep: bool = True


@dataclass(frozen=True)
class Unroll:
    """The pixels in their order as one dimension; ends the map.

    Args:
        apply: the call on an ordinary tensor.
    """

    apply: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Answer:
    """A call whose result is not a map: a question, a fresh ordinary tensor, or one composed of other calls."""

    value: Any


Description = Pixelwise | Slide | Spread | Pad | Crop | Upsample | Resample | Normalise | Pool | Unroll | Answer


@dataclass(frozen=True)
class Call:
    """A described call.

    Args:
        name: the function, as a user writes it.
        description: what it is.
        maps: the maps it is about; the first is the one that an in-place call changes.
        in_place: whether it changes that map.
        into: the ordinary tensor that an in-place call changes instead, or None.
        alias: whether the result may share memory with the first map.
        named: torch's own tuple for several results, where these have names.
    """

    name: str
    description: Description
    maps: tuple[Map, ...] = field(default=())
    in_place: bool = False
    into: Tensor | None = None
    alias: bool = False
    named: Callable[[Any], Any] | None = None
