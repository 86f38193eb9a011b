"""What a convolution type says: which outputs there are along an axis, and what lies outside the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from equivariance.ops import Kernel, Layout

Outputs = Literal["touching", "inside", "published", "own"]
Sides = Sequence[tuple[int, int]]  # before and after each axis of space


@dataclass(frozen=True)
class Rule:
    """A convolution type.

    Args:
        name: as in the config.
        outputs: `touching` (kernel overlaps the map), `inside` (kernel within it), `published` (as many as the
            network's own padding gives; a kernel that it does not pad, and that is larger than its stride, is padded
            to its centre), or `own` (those of the network's own padding).
        outside: what pads a map; `own`: zeros, and what no maximum takes.
        pools: `outputs` for pooling.
    """

    name: str
    outputs: Outputs
    outside: Literal["zero", "background", "circular", "reflect", "replicate", "ignored", "own"]
    pools: Outputs

    @property
    def joins(self) -> str:
        """How the extents of a sum's parts combine: `union`, `intersection`, or `equal`."""
        return {"touching": "union", "inside": "intersection", "published": "equal", "own": "equal"}[self.outputs]


# The published network: run so only where its strided layers sample in another way, else on the tensor itself.
SAME = Rule("same", "own", "own", "own")
RULES = {
    rule.name: rule
    for rule in (
        Rule("valid", "inside", "zero", "inside"),
        Rule("full", "touching", "zero", "touching"),
        # The authors' full ResNets leave their pooling unpadded.
        Rule("full, pools inside", "touching", "zero", "inside"),
        # Their three-dimensional ones leave it as it is.
        Rule("full, pools own", "touching", "zero", "own"),
        Rule("unbounded", "touching", "background", "touching"),
        Rule("circular", "published", "circular", "published"),
        Rule("reflect", "published", "reflect", "published"),
        Rule("replicate", "published", "replicate", "published"),
        Rule("partial", "published", "ignored", "published"),
    )
}


def centred(kernel: Kernel) -> Kernel:
    """Padded to its centre where the network does not pad it and it is larger than its stride."""
    if kernel.before or kernel.after or kernel.size <= kernel.stride:
        return kernel
    before = kernel.reach // 2
    return replace(kernel, before=before, after=kernel.reach - before)


def wished_phase(kernel: Kernel, outputs: Outputs, start: int) -> int:
    """Offset of output 0 within its stride at which the first output just touches, or lies inside, the map.

    A strided layer is free to choose it; the authors' choice for full convolution is padding k - 1.
    """
    if outputs in ("published", "own"):
        return start % kernel.stride
    return (start + kernel.before - (kernel.reach if outputs == "touching" else 0)) % kernel.stride


def extent(kernel: Kernel, outputs: Outputs, start: int, size: int, phase: int) -> tuple[int, int, int]:
    """Padding before and after an axis, and the first output's index; negative padding crops.

    Args:
        kernel: as published; its padding before says where the index grid lies.
        outputs: see `Rule`.
        start: index of the axis's first entry.
        size: entries of the axis.
        phase: offset of output 0 in input entries.
    """
    if outputs in ("published", "own"):
        first = (start - phase) // kernel.stride  # 0, but for a map that other layers have let grow
        last = first + _last(kernel, size)
    else:
        slack = kernel.reach if outputs == "touching" else 0
        first = -((phase + slack - start - kernel.before) // kernel.stride)
        last = (start + size - 1 + kernel.before - phase - kernel.reach + slack) // kernel.stride
    tap = kernel.stride * first - kernel.before + phase  # where the first output's first tap lies
    end = tap + kernel.stride * (last - first) + kernel.reach
    return start - tap, end - (start + size - 1), first


def _last(kernel: Kernel, size: int) -> int:
    """Index of the last output that a kernel's own padding gives."""
    room = size + kernel.before + kernel.after - kernel.span
    last = room // kernel.stride
    if kernel.ceil and room % kernel.stride and (last + 1) * kernel.stride < size + kernel.before:
        last += 1
    return last


def unstrided(kernel: Kernel, outputs: Outputs, size: int, whole: bool, phases: bool = False) -> Kernel:
    """The kernel with an output at every entry of its grid, for a stride that is taken later.

    Args:
        kernel: as published, padded to its centre where the type does so.
        outputs: see `Rule`.
        size: entries of the axis.
        whole: whether the map is a circle, of which there is an output for each entry once.
        phases: whether each phase of the stride is to have as many outputs as published, also those whose kernel
            reaches beyond the padding: one that lacks some would have the smaller norm.
    """
    if kernel.stride == 1:
        return kernel
    one = replace(kernel, stride=1, ceil=False)
    if outputs not in ("published", "own"):
        return one
    last = _last(kernel, size)
    fine = size + kernel.before + kernel.after - kernel.reach
    if outputs == "published":
        fine = max(fine, size)  # no end of the map is left out because its kernel is smaller than its stride
    # As many as the stride reaches, so that afterwards there are as many as published.
    most = kernel.stride * (last + 1)
    length = size if whole else min(max(fine, kernel.stride * last + 1), most)
    if phases and not whole:  # but none that sees nothing of the map
        length = max(length, min(most, size + kernel.before))
    return replace(one, after=length + kernel.reach - size - kernel.before)


def padded(content: Tensor, form: Layout, background: Tensor | None, sides: Sides, outside: str) -> Tensor:
    """A map continued beyond its edges.

    Args:
        content: the map as `form` says, a plain tensor or another reader's.
        form: how it lies.
        background: [1 or N, C, 1, ...] for outside=background, else None.
        sides: before and after each axis; negative numbers crop.
        outside: see `Rule`; `ignored` pads with zeros here, and `lowest` with what no maximum takes.
    """
    if not any(any(pair) for pair in sides):
        return content
    if outside == "lowest":
        return F.pad(content, amounts(form, sides), value=-torch.inf)
    if outside in ("circular", "reflect", "replicate"):  # first grown, then cropped: a wrap is of the whole map
        grown = [(max(a, 0), max(b, 0)) for a, b in sides]
        cut = [(min(a, 0), min(b, 0)) for a, b in sides]
        if any(any(pair) for pair in grown):
            content = form.open(F.pad(form.close(content), amounts(Layout.plain(1, len(sides)), grown), mode=outside))
        return F.pad(content, amounts(form, cut)) if any(any(pair) for pair in cut) else content
    around = amounts(form, sides)
    if background is None:
        return F.pad(content, around)
    one = tuple(slice(0, 1) if d in form.channel_dims else slice(None) for d in range(form.ndim))
    nothing = content[one].nan_to_num(0.0, 0.0, 0.0) * 0
    beyond = F.pad(nothing, around, value=1.0)  # 1 where the background is, 0 on the map
    return F.pad(content, around) + beyond * form.open(background)


def amounts(form: Layout, sides: Sides) -> list[int]:
    """What torch.nn.functional.pad takes: the last dimension first."""
    of = dict(zip(form.space, sides, strict=True))
    return [n for d in range(form.ndim - 1, min(form.space) - 1, -1) for n in of.get(d, (0, 0))]
