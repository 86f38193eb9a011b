"""Where a canvas comes from: pictures laid on empty canvases."""

from collections.abc import Sequence
from operator import index

import numpy as np
from torch import Tensor

from .canvas import Canvas
from .gather import constant, index_tensor
from .pieces import Box, Ground, Spot, Window


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
        TypeError: a size or a corner that is no whole number.
    """
    height, width = map(index, size if isinstance(size, Sequence) else (size, size))
    corners = [(index(y), index(x)) for y, x in corners]
    colour = _colour(background, pictures)
    _check(pictures, (height, width), corners, colour)
    groups: dict[tuple[int, int], list[int]] = {}
    for image, (y, x) in enumerate(corners):
        groups.setdefault((y, x), []).append(image)
    sharing: dict[tuple[int, ...], list[Spot]] = {}
    for group, ((y, x), images) in enumerate(groups.items()):
        sharing.setdefault(tuple(i % len(pictures) for i in images), []).append(Spot(group, y, x))
    windows = [Window(_select(pictures, shown), tuple(spots)) for shown, spots in sharing.items()]
    members = tuple(tuple(images) for images in groups.values())
    return Canvas(Ground(colour, (height,), (width,)), windows, members, tolerance)


def _colour(background: Tensor | Sequence[float], pictures: Tensor) -> Tensor:
    if not isinstance(background, Tensor):
        return constant(np.asarray(background), pictures).reshape(1, -1, 1, 1)
    return background.to(pictures.device, pictures.dtype).reshape(1, -1, 1, 1)


def _select(pictures: Tensor, shown: tuple[int, ...]) -> Tensor:
    if shown == tuple(range(len(pictures))):
        return pictures
    return pictures.index_select(0, index_tensor(np.array(shown), pictures.device))


def _check(pictures: Tensor, size: tuple[int, int], corners: Sequence[tuple[int, int]], colour: Tensor) -> None:
    if pictures.dim() != 4 or not len(pictures):
        raise ValueError(f"pictures are [n, C, h, w] with n > 0, not {list(pictures.shape)}")
    if not corners or len(corners) % len(pictures):
        raise ValueError(f"{len(corners)} corners are no multiple of {len(pictures)} pictures")
    if colour.shape[1] != pictures.shape[1]:
        raise ValueError(f"a background of {colour.shape[1]} numbers for {pictures.shape[1]} channels")
    whole = Box(0, size[0], 0, size[1])
    for y, x in set(corners):
        box = Box(0, pictures.shape[2], 0, pictures.shape[3]).shift(y, x)
        if box.meet(whole) != box:
            raise ValueError(f"a picture of {list(pictures.shape[2:])} at {(y, x)} leaves the canvas of {list(size)}")
