"""The type: a batch of images on one background, computed only where it is not background."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from .dispatch import GETTERS, dispatch
from .gather import index_tensor
from .pieces import Box, Ground, Spot, Window

# Where the windows cover this share of the batch, the ordinary tensor is cheaper than windows with surroundings.
DENSE_SHARE = 0.75

Members = tuple[tuple[int, ...], ...]
Key = TypeVar("Key")


class Canvas(Tensor):
    """A batch [N, C, H, W] held as one ground and some windows; runs through an unmodified nn.Module.

    Args:
        ground: the activation of the empty canvas, shared by the whole batch.
        windows: the activations that may differ from it; together their spots name every group once.
        members: for each group, the numbers of its images in the batch.
        tolerance: cells that deviate from the ground by less than this share of the map's largest entry may be dropped
            from a window, 0 for exact results; acts only where gradients are off.
        aliased: a view of this canvas was taken, or it is one: writing into it in place would have to show elsewhere.
    """

    ground: Ground
    windows: tuple[Window, ...]
    members: Members
    tolerance: float
    aliased: bool

    @staticmethod
    def __new__(cls, ground: Ground, windows: Sequence[Window], members: Members, *_: Any, **__: Any) -> "Canvas":
        first, box = windows[0].tensor, ground.box
        size = (sum(map(len, members)), first.shape[1], box.bottom, box.right)
        return Tensor._make_wrapper_subclass(cls, size, dtype=first.dtype, device=first.device)  # type: ignore[attr-defined]

    def __init__(
        self,
        ground: Ground,
        windows: Sequence[Window],
        members: Members,
        tolerance: float = 0.0,
        aliased: bool = False,
    ) -> None:
        self.ground, self.windows, self.members = ground, tuple(windows), members
        self.tolerance, self.aliased = tolerance, aliased

    # -- back to ordinary tensors

    def dense(self) -> Tensor:
        """The ordinary tensor.

        Returns:
            [N, C, H, W], equal to what the canvas stands for; gradients flow back into the canvas.
        """
        box = self.ground.box
        return self.gather({s.group: w.over(s, box, self.ground) for w in self.windows for s in w.spots})

    def gather(self, parts: dict[int, Tensor]) -> Tensor:
        """Per-group tensors [n, ...], put back in the order of the batch: [N, ...]."""
        ordered = [parts[group] for group in range(len(self.members))]
        joined = ordered[0] if len(ordered) == 1 else torch.cat(ordered)
        order = _batch_order(self.members)
        return joined if order is None else joined.index_select(0, index_tensor(order, joined.device))

    # -- what the engine's ops build on

    def like(self, ground: Ground, windows: Sequence[Window], aliased: bool = False) -> "Canvas":
        """Another canvas of the same batch."""
        return Canvas(ground, windows, self.members, self.tolerance, aliased)

    def map(self, f: Callable[[Tensor], Tensor], aliased: bool = False) -> "Canvas":
        """The canvas after a function that treats every cell alike, [n, C, h, w] to [n, C', h, w]."""
        windows = [Window(f(window.tensor), window.spots) for window in self.windows]
        return self.like(self.ground.map(f), windows, aliased)

    def become(self, other: "Canvas") -> "Canvas":
        """Takes over another canvas's content: what an in-place op does."""
        self.ground, self.windows = other.ground, other.windows
        return self

    def settle(self) -> Tensor:
        """Itself, or the ordinary tensor where the windows cover so much of the batch that this is cheaper."""
        computed = sum(w.tensor.shape[0] * w.tensor.shape[2] * w.tensor.shape[3] for w in self.windows)
        box = self.ground.box
        images = sum(map(len, self.members))
        return self.dense() if computed >= DENSE_SHARE * images * box.bottom * box.right else self

    def shared(self, first: int, second: int) -> bool:
        """Whether two images of the batch provably give the same map up to a shift of its window.

        True where both are the same row of one window tensor, computed once, and hide the same ground: then any pooling
        that ignores order gives the same numbers for both, whatever the weights.

        Args:
            first: an image's number in the batch.
            second: another image's number in the batch.
        """
        (window, spot, row), (other, there, other_row) = self._find(first), self._find(second)
        if window is not other or row != other_row:
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

    @property
    def requires_grad(self) -> bool:  # type: ignore[override]
        """Whether any part of the canvas does."""
        return self.ground.tensor.requires_grad or any(w.tensor.requires_grad for w in self.windows)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in GETTERS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        return dispatch(func, cls)(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} reached a canvas past __torch_function__")

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        windows = ", ".join(f"{list(w.tensor.shape)} at {[(s.y, s.x) for s in w.spots]}" for w in self.windows)
        return f"{type(self).__name__}({list(self.shape)}, ground {list(self.ground.tensor.shape)}, windows {windows})"


def place(
    pictures: Tensor,
    size: int | tuple[int, int],
    corners: Sequence[tuple[int, int]],
    background: Tensor | Sequence[float],
    tolerance: float = 0.0,
) -> Canvas:
    """Lays pictures on empty canvases of one size and one colour.

    Image i of the batch shows picture i modulo n. Give every picture all its places in one batch, `corners = [a] * n +
    [b] * n`, and whatever no boundary reaches is computed once for both.

    Args:
        pictures: [n, C, h, w], floating point.
        size: pixels of the canvas, (H, W) or one number for both.
        corners: N times the (y, x) of a picture's top left pixel; N is a multiple of n.
        background: C numbers, the colour of every other pixel.
        tolerance: see `Canvas`; 0 is exact.

    Returns:
        a canvas that stands for [N, C, H, W].

    Raises:
        ValueError: N is no multiple of n, a picture leaves the canvas, or the background has not C numbers.
    """
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    colour = torch.as_tensor(background, dtype=pictures.dtype, device=pictures.device).reshape(1, -1, 1, 1)
    _check(pictures, (height, width), corners, colour)
    groups: dict[tuple[int, int], list[int]] = {}
    for image, (y, x) in enumerate(corners):
        groups.setdefault((int(y), int(x)), []).append(image)
    sharing: dict[tuple[int, ...], list[Spot]] = {}
    for group, ((y, x), images) in enumerate(groups.items()):
        sharing.setdefault(tuple(i % len(pictures) for i in images), []).append(Spot(group, y, x))
    windows = [Window(_select(pictures, shown), tuple(spots)) for shown, spots in sharing.items()]
    members = tuple(tuple(images) for images in groups.values())
    return Canvas(Ground(colour, (height,), (width,)), windows, members, tolerance)


def alike(spots: Sequence[Spot], key: Callable[[Spot], Key]) -> list[tuple[Key, list[Spot]]]:
    """Spots of one window, put together as long as their keys are equal, so that each class is computed once."""
    classes: dict[Key, list[Spot]] = {}
    for spot in spots:
        classes.setdefault(key(spot), []).append(spot)
    return list(classes.items())


def _select(pictures: Tensor, shown: tuple[int, ...]) -> Tensor:
    if shown == tuple(range(len(pictures))):
        return pictures
    return pictures.index_select(0, index_tensor(np.array(shown), pictures.device))


@lru_cache(256)
def _batch_order(members: Members) -> Any:
    """Where each image of the batch is found among the groups laid end to end; None: already in order."""
    laid = np.array([image for group in members for image in group])
    order = np.argsort(laid)
    return None if np.array_equal(order, np.arange(len(order))) else order


def _check(pictures: Tensor, size: tuple[int, int], corners: Sequence[tuple[int, int]], colour: Tensor) -> None:
    if pictures.dim() != 4 or not len(pictures):
        raise ValueError(f"pictures are [n, C, h, w] with n > 0, not {list(pictures.shape)}")
    if not corners or len(corners) % len(pictures):
        raise ValueError(f"{len(corners)} corners are no multiple of {len(pictures)} pictures")
    if colour.shape[1] != pictures.shape[1]:
        raise ValueError(f"a background of {colour.shape[1]} numbers for {pictures.shape[1]} channels")
    whole = Box(0, size[0], 0, size[1])
    for y, x in set(corners):
        box = Box(0, pictures.shape[2], 0, pictures.shape[3]).shift(int(y), int(x))
        if box.meet(whole) != box:
            raise ValueError(f"a picture of {list(pictures.shape[2:])} at {(y, x)} leaves the canvas of {list(size)}")
