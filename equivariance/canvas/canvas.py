"""The type: a batch of images on one background, computed only where it is not background."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar
from weakref import ReferenceType, ref

import numpy as np
import torch
from torch import Tensor

from .errors import CanvasUnsupported
from .gather import index_tensor
from .pieces import Ground, Spot, Window
from .wrapper import Wrapper

# Where the windows cover this share of the batch, the ordinary tensor is cheaper than windows with surroundings.
DENSE_SHARE = 0.75

Members = tuple[tuple[int, ...], ...]
Key = TypeVar("Key")


class Canvas(Wrapper):
    """A batch [N, C, H, W] held as one ground and some windows; runs through an unmodified nn.Module.

    Args:
        ground: the activation of the empty canvas, shared by the whole batch.
        windows: the activations that may differ from it; together their spots name every group once.
        members: for each group, the numbers of its images in the batch.
        tolerance: cells that deviate from the ground by less than this share of the map's largest entry may be dropped
            from a window, 0 for exact results; acts only where gradients are off.
    """

    ground: Ground
    windows: tuple[Window, ...]
    members: Members
    tolerance: float
    kin: list[ReferenceType["Canvas"]]  # canvases whose dense tensors would share memory with this one's

    @staticmethod
    def __new__(
        cls: type["Canvas"], ground: Ground, windows: Sequence[Window], members: Members, *_: Any, **__: Any
    ) -> "Canvas":
        """Makes the wrapper: the shape, dtype and device of what the parts stand for."""
        first, box = windows[0].tensor, ground.box
        size = (sum(map(len, members)), first.shape[1], box.bottom, box.right)
        return cls.wrap(size, [first, *(w.tensor for w in windows[1:]), ground.tensor])

    def __init__(
        self,
        ground: Ground,
        windows: Sequence[Window],
        members: Members,
        tolerance: float = 0.0,
    ) -> None:
        self.ground, self.windows, self.members = ground, tuple(windows), members
        self.tolerance, self.kin = tolerance, [ref(self)]
        self.guard()

    # -- back to ordinary tensors

    def dense(self) -> Tensor:
        """The ordinary tensor.

        Returns:
            [N, C, H, W], equal to what the canvas stands for; gradients flow back into the canvas.
        """
        opened = self.opened()
        mine = {part.untyped_storage().data_ptr() for part in self.parts()}
        return opened.clone() if opened.untyped_storage().data_ptr() in mine else opened

    def opened(self) -> Tensor:
        """The same for the engine's own use: it may share memory with a window."""
        self.refuse_foreign()
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

    def like(self, ground: Ground, windows: Sequence[Window]) -> "Canvas":
        """Another canvas of the same batch."""
        return Canvas(ground, windows, self.members, self.tolerance)

    def map(self, f: Callable[[Tensor], Tensor]) -> "Canvas":
        """The canvas after a function that treats every cell alike, [n, C, h, w] to [n, C', h, w]."""
        windows = [Window(f(window.tensor), window.spots) for window in self.windows]
        return self.like(self.ground.map(f), windows)

    def viewed_as(self, view: "Canvas") -> "Canvas":
        """Notes that the dense tensor behind `view` would be a view of this one's; returns the view."""
        self.kin[:] = [relative for relative in self.kin if relative() is not None]
        self.kin.append(ref(view))
        view.kin = self.kin
        return view

    def become(self, other: "Canvas") -> "Canvas":
        """Takes over another canvas's content: what an in-place op does.

        Raises:
            CanvasUnsupported: another canvas in use is a view of this one, or this one of it, and had to change too.
            ValueError: the content has another shape.
        """
        if other.shape != self.shape:
            raise ValueError(f"an in-place op would turn {list(self.shape)} into {list(other.shape)}")
        if any(found is not None and found is not self for found in (relative() for relative in self.kin)):
            raise CanvasUnsupported("an in-place op on a canvas that shares memory with a slice of it")
        same = other.map(lambda t: t.to(self.dtype))
        self.ground, self.windows = same.ground, same.windows
        return self

    def settle(self) -> Tensor:
        """Itself, or the ordinary tensor where the windows cover so much of the batch that this is cheaper."""
        computed = sum(w.tensor.shape[0] * w.tensor.shape[2] * w.tensor.shape[3] for w in self.windows)
        box = self.ground.box
        images = sum(map(len, self.members))
        return self.opened() if computed >= DENSE_SHARE * images * box.bottom * box.right else self

    def shared(self, first: int, second: int) -> bool:
        """Whether two images of the batch provably give the same map up to a shift of its window.

        True where both are the same row of one window tensor, computed once, and hide the same ground: then any pooling
        that ignores order gives the same numbers for both, whatever the weights. That the geometry alone decides, so it
        proves nothing, and is False, where a tolerance was given.

        Args:
            first: an image's number in the batch.
            second: another image's number in the batch.
        """
        (window, spot, row), (other, there, other_row) = self._find(first), self._find(second)
        if self.tolerance or window is not other or row != other_row:
            return False
        ground = self.ground
        return bool(np.array_equal(ground.hidden(window.box(spot)), ground.hidden(window.box(there))))

    def _find(self, image: int) -> tuple[Window, Spot, int]:
        for window in self.windows:
            for spot in window.spots:
                if image in self.members[spot.group]:
                    return window, spot, self.members[spot.group].index(image)
        raise IndexError(f"image {image} of a batch of {self.shape[0]}")

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
