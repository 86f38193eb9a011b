"""Ops of each pixel by itself, on one canvas or on several of one batch: activations, arithmetic, cat, channels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equivariance.ops import Pixelwise

from .alignment import check, joints, refined
from .axes import Axis
from .canvas import Canvas
from .pieces import Each, Ground, Spot, Window

Parts = list[Tensor]  # one for each output
Classes = list[tuple[int, ...]]  # groups that go on as one
EPS = 8  # times the dtype's own: numbers that one matrix product gives in two rows


@Canvas.means(Pixelwise)
def pixelwise(op: Pixelwise, *canvases: Canvas) -> Any:
    """The op on each window and on the ground; on the ordinary tensors where what they meet fills the map.

    An op with something that differs from image to image gives each image a ground of its own; groups stay one where
    what they meet is equal.
    """
    if op.varying:
        return op.apply(*(canvas.dense() for canvas in canvases), *(tensor for tensor, _ in op.per_image))
    check(canvases)
    first = canvases[0]
    windows = _alone(op, first) if len(canvases) == 1 else _together(op, canvases)
    classes = [tuple(spot.group for spot in spots) for _, spots in windows]
    grounds, rows, cols, each = _ground(op, canvases, classes)
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
        (_run(op, (canvas,), [window.tensor], [spots[0].group]), spots)
        for window in canvas.windows
        for spots in _apart(op, canvas, window.spots)
    ]


def _together(op: Pixelwise, canvases: tuple[Canvas, ...]) -> list[tuple[Parts, tuple[Spot, ...]]]:
    found: list[tuple[Parts, tuple[Spot, ...]]] = []
    for joint in joints(canvases):
        if op.joins:
            found.append(([joint.cat_channels()], joint.spots))
            continue
        tensors = joint.tensors()
        apart = _apart(op, canvases[0], joint.spots)
        found += [(_run(op, canvases, tensors, [spots[0].group]), spots) for spots in apart]
    return found


def _apart(op: Pixelwise, canvas: Canvas, spots: tuple[Spot, ...]) -> list[tuple[Spot, ...]]:
    """Spots of one window, apart where what differs from image to image is not the same for both."""
    of_group = {spot.group: spot for spot in spots}
    return [tuple(of_group[group] for group in same) for same in _classes(op, canvas, list(of_group))]


def _classes(op: Pixelwise, canvas: Canvas, groups: list[int]) -> Classes:
    """Groups of the same pictures, put together where what differs from image to image is the same for both."""
    if not op.per_image:
        return [tuple(groups)]
    classes: list[list[int]] = []
    for group in groups:
        mine = [canvas.of(values, dim, group) for values, dim in op.per_image]
        for others in classes:
            theirs = [canvas.of(values, dim, others[0]) for values, dim in op.per_image]
            if all(_equal(a, b, canvas.tolerance) for a, b in zip(mine, theirs, strict=True)):
                others.append(group)
                break
        else:
            classes.append([group])
    return [tuple(same) for same in classes]


def _seeing(op: Pixelwise, canvases: tuple[Canvas, ...], classes: Classes) -> Classes:
    """Classes of windows put together where they go on with one ground: an edge that one of them meets changes no gate.

    Only those that had one before: others show other pictures.
    """
    had: dict[Any, list[tuple[int, ...]]] = {}
    for i, groups in enumerate(classes):
        before = [None if c.ground.each is None else c.ground.each[groups[0]] for c in canvases]
        had.setdefault(i if None in before else tuple(before), []).append(groups)
    found = []
    for together in had.values():
        of_first = {groups[0]: groups for groups in together}
        found += [sum((of_first[g] for g in same), ()) for same in _classes(op, canvases[0], list(of_first))]
    return found


def _equal(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether two numbers for the same pictures are one up to rounding; never while gradients could tell them apart."""
    if torch.is_grad_enabled() and (one.requires_grad or other.requires_grad):
        return False
    if one.is_meta or not one.is_floating_point():
        return one.is_meta or torch.equal(one, other)
    allowed = max(EPS * torch.finfo(one.dtype).eps, tolerance)
    return bool((one - other).abs().max() <= allowed * torch.maximum(one.abs().max(), other.abs().max()))


def _ground(op: Pixelwise, canvases: tuple[Canvas, ...], classes: Classes) -> tuple[Parts, Axis, Axis, Each]:
    """The op on the ground that all images share, or on that of each class of groups."""
    tensors, rows, cols = refined(canvases)
    eaches = {canvas.ground.each for canvas in canvases if canvas.ground.each is not None}
    if not op.per_image and len(eaches) < 2:
        images = max(len(tensor) for tensor in tensors)
        given = [t if len(t) == images else t.expand(images, -1, -1, -1) for t in tensors]
        return _run(op, canvases, given, []), rows, cols, eaches.pop() if eaches else None
    firsts, where, ends = [], dict[int, tuple[int, int]](), 0
    for groups in _seeing(op, canvases, classes):
        count = len(canvases[0].members[groups[0]])
        firsts.append(groups[0])
        where |= dict.fromkeys(groups, (ends, ends + count))
        ends += count
    each = tuple(where[group] for group in range(len(canvases[0].members)))
    grounds = [Ground(t, rows, cols, c.ground.each) for t, c in zip(tensors, canvases, strict=True)]
    return _run(op, canvases, [_for_each(ground, firsts, each) for ground in grounds], firsts), rows, cols, each


def _for_each(ground: Ground, groups: list[int], each: tuple[tuple[int, int], ...]) -> Tensor:
    """What the images of these groups have, [m, C, r, c], end to end as `each` says."""
    if ground.each == each:
        return ground.tensor
    counts = [each[group][1] - each[group][0] for group in groups]
    seen = [ground.seen_by(group).expand(count, -1, -1, -1) for group, count in zip(groups, counts, strict=True)]
    return torch.cat(seen)


def _run(op: Pixelwise, canvases: tuple[Canvas, ...], tensors: Sequence[Tensor], groups: Sequence[int]) -> Parts:
    """The op on parts [n, C_i, h, w] of some groups end to end, or of the shared ground: one part for each output."""
    given = [canvas.form.open(tensor) for canvas, tensor in zip(canvases, tensors, strict=True)]
    mine = [torch.cat([canvases[0].of(t, dim, g) for g in groups], dim) for t, dim in op.per_image]
    found = op.apply(*given, *mine)
    return [form.close(t) for form, t in zip(op.outputs, found if op.several else (found,), strict=True)]


def _unchanged(found: Canvas, canvas: Canvas) -> bool:
    """Whether the op left every part as it was: a cast to what it is already."""
    return found.form == canvas.form and all(a is b for a, b in zip(found.parts(), canvas.parts(), strict=True))
