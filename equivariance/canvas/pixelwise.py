"""Ops of each pixel by itself, on one canvas or on several of one batch: activations, arithmetic, cat, channels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from equivariance.ops import Pixelwise

from .alignment import check, joints, refined
from .canvas import Canvas
from .pieces import Ground, Spot, Window

Parts = list[Tensor]  # one for each output


@Canvas.means(Pixelwise)
def pixelwise(op: Pixelwise, *canvases: Canvas) -> Any:
    """The op on each window and on the ground; on the ordinary tensors where what they meet fills the map.

    An op with something that differs from image to image gives each image a ground of its own, and each group a window.
    """
    if op.varying:
        return op.apply(*(canvas.dense() for canvas in canvases), *(tensor for tensor, _ in op.per_image))
    check(canvases)
    first = canvases[0]
    windows = _alone(op, first) if len(canvases) == 1 else _together(op, canvases)
    tensors, rows, cols = refined(canvases)
    grounds = _run(op, canvases, tensors, None)
    each = first.slices() if len(grounds[0]) > 1 else None
    found = [
        Canvas(
            Ground(ground, rows, cols, each),
            [Window(parts[i], spots) for parts, spots in windows],
            first.members,
            max(canvas.tolerance for canvas in canvases),
            form,
        )
        for i, (ground, form) in enumerate(zip(grounds, op.outputs, strict=True))
    ]
    if op.several:
        return tuple(found)
    if _unchanged(found[0], first):
        return first
    return found[0].settle() if len(canvases) > 1 else found[0]


def _alone(op: Pixelwise, canvas: Canvas) -> list[tuple[Parts, tuple[Spot, ...]]]:
    return [
        (_run(op, (canvas,), [window.tensor], spots[0].group), spots)
        for window in canvas.windows
        for spots in _apart(op, window.spots)
    ]


def _together(op: Pixelwise, canvases: tuple[Canvas, ...]) -> list[tuple[Parts, tuple[Spot, ...]]]:
    found: list[tuple[Parts, tuple[Spot, ...]]] = []
    for joint in joints(canvases):
        if op.joins:
            found.append(([joint.cat_channels()], joint.spots))
            continue
        tensors = joint.tensors()
        found += [(_run(op, canvases, tensors, spots[0].group), spots) for spots in _apart(op, joint.spots)]
    return found


def _apart(op: Pixelwise, spots: tuple[Spot, ...]) -> list[tuple[Spot, ...]]:
    """Spots that stay one tensor: each by itself where images are treated differently."""
    return [(spot,) for spot in spots] if op.per_image else [spots]


def _run(op: Pixelwise, canvases: tuple[Canvas, ...], tensors: Sequence[Tensor], group: int | None) -> Parts:
    """The op on parts [n, C_i, h, w] of one group, or of the ground: one part for each output."""
    given = [canvas.form.open(tensor) for canvas, tensor in zip(canvases, tensors, strict=True)]
    mine = [canvases[0].of(values, dim, group) for values, dim in op.per_image]
    found = op.apply(*given, *mine)
    return [form.close(t) for form, t in zip(op.outputs, found if op.several else (found,), strict=True)]


def _unchanged(found: Canvas, canvas: Canvas) -> bool:
    """Whether the op left every part as it was: a cast to what it is already."""
    return found.form == canvas.form and all(a is b for a, b in zip(found.parts(), canvas.parts(), strict=True))
