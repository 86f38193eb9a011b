"""What the units of a feature map see along one axis, and how an operation changes that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, lcm

from equivariance.errors import UserError
from equivariance.ops import Kernel, Unknown
from equivariance.reach.resampling import Places

Pixels = int | Fraction  # a fraction where units lie closer than pixels


class Unseen(UserError):  # noqa: N818 - the name says what it is
    """What an operation sees is not known, so nothing can be certified."""


@dataclass(frozen=True)
class Sight:
    """One axis of a feature map: unit i sees at most the input pixels stride*i + first ... stride*i + last.

    Args:
        size: units.
        stride: pixels from one unit to the next; a fraction after upsampling beyond the image's own.
        first: first pixel that unit 0 sees; negative where it lies outside the image.
        last: last pixel that unit 0 sees. After upsampling, units see unequally far; both are then of the farthest.
        head: units at the start that see beyond an edge, at this layer or before.
        tail: units at the end that do.
        copied: how far into the map, in units counted from its first padded one, lies what the padding repeats; 0 where
            it repeats nothing.
        period: pixels after which the pattern of what units compute repeats; the largest stride so far, or a multiple.
        edges: whether first and last hold for units of head and tail, too; else padding may repeat what no unit there
            would see by itself.
    """

    size: int
    stride: Pixels = 1
    first: Pixels = 0
    last: Pixels = 0
    head: int = 0
    tail: int = 0
    copied: int = 0
    period: int = 1
    edges: bool = True

    @property
    def field(self) -> int:
        """Receptive field in pixels."""
        return int((self.last - self.first) // 1) + 1

    def slide(self, kernel: Kernel) -> Sight:
        """The axis after a sliding operation."""
        room = self.size + kernel.before + kernel.after - kernel.span
        if self.edges and self.copied > kernel.reach:  # then a unit sees copies of pixels that it does not see itself
            raise Unknown(None, "padding before it repeats pixels beyond its reach")
        size = room // kernel.stride + 1
        # A last window that starts inside.
        if kernel.ceil and (-(-room // kernel.stride)) * kernel.stride < self.size + kernel.before:
            size = -(-room // kernel.stride) + 1
        if size < 1:
            raise UserError("the image is too small for this network")
        head = min(size, max(0, -(-(self.head + kernel.before) // kernel.stride)))
        # The last window that ends before the first unit of the tail.
        clear = (self.size - self.tail - 1 + kernel.before - kernel.reach) // kernel.stride + 1
        offset, stride = -kernel.before * self.stride, self.stride * kernel.stride
        return replace(
            self,
            size=size,
            stride=stride,
            first=self.first + offset,
            last=self.last + offset + kernel.reach * self.stride,
            head=head,
            tail=min(size, max(0, size - max(clear, 0))),
            copied=0,
            period=self._period(stride),
        )

    def padded(self, before: int, after: int, mode: str = "constant") -> Sight:
        """The axis with units of padding at its ends; negative numbers cut units off.

        Args:
            before: units.
            after: units.
            mode: of torch.nn.functional.pad.
        """
        most = max(before, after, 0) * {"reflect": 2, "circular": 2, "replicate": 1}.get(mode, 0)
        size, head, tail = self.size + before + after, max(0, self.head + before), max(0, self.tail + after)
        if size < 1:
            raise Unknown(None, "nothing is left")
        if most and (self.tail + before >= self.size or self.head + after >= self.size):
            head = tail = size  # what is repeated at one end sees beyond the other
        return replace(
            self,
            size=size,
            first=self.first - before * self.stride,
            last=self.last - before * self.stride,
            head=head,
            tail=tail,
            copied=self.copied + most,
        )

    def upsampled(self, factor: int) -> Sight:
        """The axis with each unit repeated; a finer unit sees at most what the last of its group would."""
        return self.spread(Kernel(factor, factor))

    def spread(self, kernel: Kernel) -> Sight:
        """The axis after a transposed sliding operation, whose kernel's padding is cut off the ends."""
        size = (self.size - 1) * kernel.stride + kernel.span - kernel.before - kernel.after
        if size < 1:
            raise UserError("the image is too small for this network")
        stride = whole(Fraction(self.stride) / kernel.stride)
        # Units that a unit of the head, or the one before the first, is spread over; and so at the end.
        head = (self.head - 1) * kernel.stride + kernel.span - kernel.before
        tail = size - (self.size - self.tail) * kernel.stride + kernel.before
        return Sight(
            size,
            stride,
            whole(self.first + (kernel.before - kernel.reach) * stride),
            whole(self.last + kernel.before * stride),
            min(size, max(0, head)),
            min(size, max(0, tail)),
            self.copied * kernel.stride + (kernel.reach if self.copied else 0),
            self._period(stride),
            self.edges,
        )

    def resampled(self, places: Places) -> Sight:
        """The axis after interpolation; at its ends the last unit stands for those beyond.

        Raises: Unknown: rounding decides which units are taken.
        """
        places.check()
        stride = whole(self.stride * places.step)
        low, high = places.spread()
        return Sight(
            places.size,
            stride,
            whole(self.first + low * self.stride),
            whole(self.last + high * self.stride),
            places.before(self.head),
            places.size - places.up_to(self.size - self.tail),
            ceil(self.copied / places.step) if self.copied and places.step else self.copied,
            self._period(stride),
            self.edges,
        )

    def _period(self, stride: Pixels) -> int:
        """Pixels after which the pattern repeats with units so far apart too."""
        return lcm(self.period, stride.numerator) if stride else self.period

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
            self.edges,
        )


def whole(pixels: Pixels) -> Pixels:
    """The same number, of Python's own whole ones where it is whole."""
    return pixels.numerator if pixels.denominator == 1 else pixels
