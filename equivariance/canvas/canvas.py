"""The type: a batch of images on one background, computed only where it is not background."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from equivariance.ops import Layout, Map

from .errors import CanvasUnsupported
from .gather import index_tensor
from .pieces import Ground, Spot, Window

# Where the windows cover this share of the batch, the ordinary tensor is cheaper than windows with surroundings.
DENSE_SHARE = 0.75

Members = tuple[tuple[int, ...], ...]
Key = TypeVar("Key")


class Canvas(Map):
    """A batch [N, C, H, W] held as one ground and some windows; runs through an unmodified nn.Module.

    Args:
        ground: the activation of the empty canvas, shared by the whole batch or one for each image.
        windows: the activations that may differ from it; together their spots name every group once.
        members: for each group, the numbers of its images in the batch.
        tolerance: cells that deviate from the ground by less than this share of the map's largest entry may be dropped
            from a window, 0 for exact results; acts only where gradients are off.
        form: how the tensor lies that this stands for, if not as [N, C, H, W]; the parts always do.
    """

    ground: Ground
    windows: tuple[Window, ...]
    members: Members
    tolerance: float
    refusal = CanvasUnsupported

    @staticmethod
    def __new__(
        cls: type["Canvas"],
        ground: Ground,
        windows: Sequence[Window],
        members: Members,
        tolerance: float = 0.0,
        form: Layout | None = None,
    ) -> "Canvas":
        """Makes the wrapper: the shape, dtype and device of what the parts stand for."""
        first, box = windows[0].tensor, ground.box
        form = form or Layout.plain(first.shape[1])
        size = form.shape(sum(map(len, members)), (box.bottom, box.right))
        self: Canvas = cls.wrap(size, first, [first, *(w.tensor for w in windows[1:]), ground.tensor])
        self.form = form
        return self

    def __init__(
        self,
        ground: Ground,
        windows: Sequence[Window],
        members: Members,
        tolerance: float = 0.0,
        form: Layout | None = None,
    ) -> None:
        self.ground, self.windows, self.members, self.tolerance = ground, tuple(windows), members, tolerance
        self.guard()

    # -- back to ordinary tensors

    def dense(self) -> Tensor:
        """The ordinary tensor.

        Returns:
            [N, C, H, W], or as `form` says, equal to what the canvas stands for; gradients flow back into the canvas.
        """
        self.refuse_foreign()
        opened = self.form.open(self.opened())
        mine = {part.untyped_storage().data_ptr() for part in self.parts()}
        return opened.clone() if opened.untyped_storage().data_ptr() in mine else opened

    def opened(self) -> Tensor:
        """[N, C, H, W] for the engine's own use: it may share memory with a window."""
        box = self.ground.box
        opened = self.in_batch_order({s.group: w.over(s, box, self.ground) for w in self.windows for s in w.spots})
        repeated = any(step == 0 and n > 1 for step, n in zip(opened.stride(), opened.shape, strict=True))
        return opened.clone() if repeated else opened  # in-place ops need memory of their own for each cell

    def in_batch_order(self, parts: dict[int, Tensor]) -> Tensor:
        """Per-group tensors [n, ...], put back in the order of the batch: [N, ...]."""
        ordered = [parts[group] for group in range(len(self.members))]
        joined = ordered[0] if len(ordered) == 1 else torch.cat(ordered)
        order = _batch_order(self.members)
        return joined if order is None else joined.index_select(0, index_tensor(order, joined.device))

    # -- what the engine's ops build on

    def like(self, ground: Ground, windows: Sequence[Window], form: Layout | None = None) -> "Canvas":
        """Another canvas of the same batch."""
        return Canvas(ground, windows, self.members, self.tolerance, form)

    def map(self, f: Callable[[Tensor], Tensor]) -> "Canvas":
        """The canvas after a function that treats every cell alike, [n, C, h, w] to [n, C', h, w]."""
        windows = [Window(f(window.tensor), window.spots) for window in self.windows]
        return self.like(self.ground.map(f), windows)

    def of(self, values: Tensor, dim: int, group: int) -> Tensor:
        """What belongs to the images of a group, in values along the batch."""
        images = np.array(self.members[group])
        in_order = len(images) == values.shape[dim] and bool((np.diff(images) == 1).all())
        return values if in_order else values.index_select(dim, index_tensor(images, values.device))

    # -- what the vocabulary asks of a reader

    def adopt(self, other: Tensor) -> None:
        """Takes over the content of another canvas, or of an ordinary tensor, in its own dtype."""
        other = other if isinstance(other, Canvas) else self.wrapping(self.form.close(other))
        same = other.map(lambda t: t.to(self.dtype))
        self.ground, self.windows = same.ground, same.windows

    def written(self, target: Tensor, result: Tensor) -> Tensor:
        """An ordinary tensor after a result was written into it."""
        return target.copy_(result.dense() if isinstance(result, Canvas) else result)

    def wrapping(self, tensor: Tensor) -> "Canvas":
        """An ordinary tensor [N, C, H, W] as a canvas of the same batch, whose windows cover all of it."""
        windows = [Window(self.of(tensor, 0, group), (Spot(group, 0, 0),)) for group in range(len(self.members))]
        box = self.ground.box
        return self.like(Ground(tensor.new_zeros(1, tensor.shape[1], 1, 1), (box.bottom,), (box.right,)), windows)

    def settle(self) -> Tensor:
        """Itself, or the ordinary tensor where the windows cover so much of the batch that this is cheaper."""
        computed = sum(w.tensor.shape[0] * w.tensor.shape[2] * w.tensor.shape[3] for w in self.windows)
        box = self.ground.box
        images = sum(map(len, self.members))
        return self.dense() if computed >= DENSE_SHARE * images * box.bottom * box.right else self

    # -- being a tensor

    def parts(self) -> list[Tensor]:
        """Windows and ground."""
        return [*(window.tensor for window in self.windows), self.ground.tensor]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        windows = ", ".join(f"{list(w.tensor.shape)} at {[(s.y, s.x) for s in w.spots]}" for w in self.windows)
        return f"{type(self).__name__}({list(self.shape)}, ground {list(self.ground.tensor.shape)}, windows {windows})"


def alike(spots: Sequence[Spot], key: Callable[[Spot], Key]) -> list[tuple[Key, list[Spot]]]:
    """Spots of one window, put together as long as their keys are equal, so that each class is computed once."""
    classes: dict[Key, list[Spot]] = {}
    for spot in spots:
        classes.setdefault(key(spot), []).append(spot)
    return list(classes.items())


@lru_cache(256)
def _batch_order(members: Members) -> Any:
    """Where each image of the batch is found among the groups laid end to end; None: already in order."""
    laid = np.array([image for group in members for image in group])
    order = np.argsort(laid)
    return None if np.array_equal(order, np.arange(len(order))) else order
