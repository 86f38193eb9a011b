"""How a feature map lies in a tensor: which dimension is the batch, which are space, which are channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """The dimensions of a tensor that holds a feature map, and the sizes of those that are channels.

    A reader computes on [n, C, *space] whatever the layout: `close` brings a tensor there, `open` back.

    Args:
        batch: the dimension of the images.
        space: the dimensions of space, in order: rows, columns; planes first where there are three.
        channels: sizes of all other dimensions, in order; their product is C.
    """

    batch: int
    space: tuple[int, ...]
    channels: tuple[int, ...]

    @classmethod
    def plain(cls, channels: int, axes: int = 2) -> Layout:
        """[N, C, *space], as torch's layers have it."""
        return cls(0, tuple(range(2, 2 + axes)), (channels,))

    @cached_property
    def ndim(self) -> int:
        """Dimensions of the tensor."""
        return 1 + len(self.space) + len(self.channels)

    @cached_property
    def channel_dims(self) -> tuple[int, ...]:
        """The dimensions that are channels."""
        return tuple(d for d in range(self.ndim) if d != self.batch and d not in self.space)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is [N, C, *space]."""
        return self.batch == 0 and len(self.channels) == 1 and self.space == tuple(range(2, self.ndim))

    def shape(self, images: int, sides: Sequence[int]) -> tuple[int, ...]:
        """The tensor's shape for so many images and a map of these sides."""
        sizes = dict(zip(self.space, sides, strict=True)) | dict(zip(self.channel_dims, self.channels, strict=True))
        sizes[self.batch] = images
        return tuple(sizes[d] for d in range(self.ndim))

    def channel_shape(self) -> tuple[int, ...]:
        """The shape of a tensor that differs between channels alone."""
        return self.shape(1, (1,) * len(self.space))

    def open(self, tensor: Tensor) -> Tensor:
        """[n, C, *space] as this layout has it; a view."""
        if self.is_plain:
            return tensor
        parted = tensor
        if len(self.channels) != 1:  # an idle reshape would change the strides of gradients of a single image
            parted = tensor.reshape(tensor.shape[0], *self.channels, *tensor.shape[2:])
        source = (self.batch, *self.channel_dims, *self.space)
        return parted.permute([source.index(d) for d in range(self.ndim)])

    def close(self, tensor: Tensor) -> Tensor:
        """A tensor that lies as this layout says as [n, C, *space]; a view where one exists."""
        if self.is_plain:
            return tensor
        ordered = tensor.permute(self.batch, *self.channel_dims, *self.space)
        if len(self.channels) == 1:
            return ordered
        space = ordered.shape[ordered.dim() - len(self.space) :]
        channels = 1
        for size in self.channels:
            channels *= size
        return ordered.reshape(ordered.shape[0], channels, *space)

    def without(self, dims: Sequence[int]) -> Layout:
        """The layout after these channel dimensions were dropped."""
        left = [d for d in range(self.ndim) if d not in dims]
        sizes = dict(zip(self.channel_dims, self.channels, strict=True))
        return Layout(
            left.index(self.batch),
            tuple(left.index(d) for d in self.space),
            tuple(sizes[d] for d in self.channel_dims if d not in dims),
        )

    def with_new(self, dim: int, size: int = 1) -> Layout:
        """The layout with a new channel dimension at `dim`."""
        moved = [d + (d >= dim) for d in range(self.ndim)]
        sizes = {moved[d]: s for d, s in zip(self.channel_dims, self.channels, strict=True)} | {dim: size}
        space = tuple(moved[d] for d in self.space)
        return Layout(moved[self.batch], space, tuple(sizes[d] for d in sorted(sizes)))

    def resized(self, sizes: dict[int, int]) -> Layout:
        """The layout with other sizes of some channel dimensions."""
        pairs = zip(self.channel_dims, self.channels, strict=True)
        return Layout(self.batch, self.space, tuple(sizes.get(d, size) for d, size in pairs))

    def permuted(self, order: Sequence[int]) -> Layout:
        """The layout after torch.permute by `order`."""
        sizes = dict(zip(self.channel_dims, self.channels, strict=True))
        return Layout(
            order.index(self.batch),
            tuple(order.index(d) for d in self.space),
            tuple(sizes[d] for d in order if d in sizes),
        )
