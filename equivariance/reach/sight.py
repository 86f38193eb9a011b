"""What the units of a feature map see along one axis, and how an operation changes that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm

from equivariance.errors import UserError
from equivariance.ops import Kernel, Unknown


class Unseen(UserError):  # noqa: N818 - the name says what it is
    """What an operation sees is not known, so nothing can be certified."""


@dataclass(frozen=True)
class Sight:
    """One axis of a feature map: unit i sees at most the input pixels stride*i + first ... stride*i + last.

    Args:
        size: units.
        stride: pixels from one unit to the next.
        first: first pixel that unit 0 sees; negative where it lies outside the image.
        last: last pixel that unit 0 sees.
        head: units at the start that see beyond an edge, at this layer or before.
        tail: units at the end that do.
        copied: how far into the map, in units counted from its first padded one, lies what the padding repeats; 0 where
            it repeats nothing.
        period: pixels after which the pattern of what units compute repeats; the largest stride so far, or a multiple.
    """

    size: int
    stride: int = 1
    first: int = 0
    last: int = 0
    head: int = 0
    tail: int = 0
    copied: int = 0
    period: int = 1

    @property
    def field(self) -> int:
        """Receptive field in pixels."""
        return self.last - self.first + 1

    def slide(self, kernel: Kernel) -> Sight:
        """The axis after a sliding operation."""
        room = self.size + kernel.before + kernel.after - kernel.span
        if room < 0:
            raise UserError("the image is too small for this network")
        if self.copied > kernel.reach:  # then a unit sees copies of pixels that it does not see itself
            raise Unknown(None, "padding before it repeats pixels beyond its reach")
        size = room // kernel.stride + 1
        # A last window that starts inside.
        if kernel.ceil and (-(-room // kernel.stride)) * kernel.stride < self.size + kernel.before:
            size = -(-room // kernel.stride) + 1
        head = min(size, max(0, -(-(self.head + kernel.before) // kernel.stride)))
        # The last window that ends before the first unit of the tail.
        clear = (self.size - self.tail - 1 + kernel.before - kernel.reach) // kernel.stride + 1
        offset, stride = -kernel.before * self.stride, self.stride * kernel.stride
        return Sight(
            size,
            stride,
            self.first + offset,
            self.last + offset + kernel.reach * self.stride,
            head,
            min(size, max(0, size - max(clear, 0))),
            period=lcm(self.period, stride),
        )

    def padded(self, before: int, after: int, mode: str = "constant") -> Sight:
        """The axis with units of padding at its ends; negative numbers cut units off.

        Args:
            before: units.
            after: units.
            mode: of torch.nn.functional.pad.
        """
        most = max(before, after, 0) * {"reflect": 2, "circular": 2, "replicate": 1}.get(mode, 0)
        return replace(
            self,
            size=self.size + before + after,
            first=self.first - before * self.stride,
            last=self.last - before * self.stride,
            head=max(0, self.head + before),
            tail=max(0, self.tail + after),
            copied=self.copied + most,
        )

    def upsampled(self, factor: int) -> Sight:
        """The axis with each unit repeated; a finer unit sees at most what the last of its group would."""
        stride, rest = divmod(self.stride, factor)
        if rest:
            raise Unknown(None, f"a stride of {self.stride} upsampled by {factor}")
        return replace(
            self,
            size=self.size * factor,
            stride=stride,
            first=self.first - (factor - 1) * stride,
            head=self.head * factor,
            tail=self.tail * factor,
            copied=self.copied * factor,
        )

    def joined(self, other: Sight) -> Sight:
        """The axis of a sum or concatenation: a unit sees what either of its parts saw."""
        if (self.size, self.stride) != (other.size, other.stride):
            raise Unknown(None, "two branches of the network do not align")
        return Sight(
            self.size,
            self.stride,
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.head, other.head),
            max(self.tail, other.tail),
            max(self.copied, other.copied),
            lcm(self.period, other.period),
        )
