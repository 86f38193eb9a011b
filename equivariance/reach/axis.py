"""One axis of a feature map: what its units see, and how an operation changes that."""

from __future__ import annotations

from dataclasses import dataclass

from equivariance.errors import UserError


@dataclass(frozen=True)
class Axis:
    """One axis of a feature map: unit i sees the input pixels stride*i + first ... stride*i + last.

    Args:
        size: units.
        stride: pixels from one unit to the next.
        first: first pixel that unit 0 sees; negative where it lies outside the image.
        last: last pixel that unit 0 sees.
        head: units at the start that see beyond an edge, at this layer or before.
        tail: units at the end that do.
        copied: how far into the map, in units counted from its first padded one, lies what the padding repeats; 0 where
            it repeats nothing.
    """

    size: int
    stride: int = 1
    first: int = 0
    last: int = 0
    head: int = 0
    tail: int = 0
    copied: int = 0

    @property
    def field(self) -> int:
        """Receptive field in pixels."""
        return self.last - self.first + 1

    def slide(self, kernel: int, stride: int, before: int, after: int, dilation: int, ceil: bool = False) -> Axis:
        """The axis after a sliding operation with the given padding before and after."""
        reach = (kernel - 1) * dilation
        room = self.size + before + after - reach - 1
        if room < 0:
            raise UserError("the image is too small for this network")
        if self.copied > reach:  # then a unit sees copies of pixels that it does not see itself
            raise UserError("padding repeats pixels beyond the next kernel's reach; no certificate for this network")
        size = room // stride + 1
        if ceil and (-(-room // stride)) * stride < self.size + before:  # a last window that starts inside
            size = -(-room // stride) + 1
        head = min(size, max(0, -(-(self.head + before) // stride)))
        # The last window that ends before the first unit of the tail.
        clear = (self.size - self.tail - 1 + before - reach) // stride + 1
        offset = -before * self.stride
        return Axis(
            size,
            self.stride * stride,
            self.first + offset,
            self.last + offset + reach * self.stride,
            head,
            min(size, max(0, size - max(clear, 0))),
        )

    def padded(self, before: int, after: int, mode: str = "constant") -> Axis:
        """The axis with units of padding at its ends; negative numbers cut units off.

        Args:
            before: units.
            after: units.
            mode: of torch.nn.functional.pad.
        """
        most = max(before, after, 0) * {"reflect": 2, "circular": 2, "replicate": 1}.get(mode, 0)
        return Axis(
            self.size + before + after,
            self.stride,
            self.first - before * self.stride,
            self.last - before * self.stride,
            max(0, self.head + before),
            max(0, self.tail + after),
            self.copied + most,
        )

    def joined(self, other: Axis) -> Axis:
        """The axis of a sum or concatenation: a unit sees what either of its parts saw."""
        if (self.size, self.stride) != (other.size, other.stride):
            raise UserError("two branches of the network do not align")
        return Axis(
            self.size,
            self.stride,
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.head, other.head),
            max(self.tail, other.tail),
            max(self.copied, other.copied),
        )
