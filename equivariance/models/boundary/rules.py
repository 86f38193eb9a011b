"""What a convolution type says: which outputs there are along an axis, and what lies outside the map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Pair = tuple[int, int]


@dataclass(frozen=True)
class Rule:
    """A convolution type other than `same`.

    Args:
        name: as in the config.
        outputs: `touching` (kernel overlaps the map), `inside` (kernel within it), or `published` (as many as the
            network's own padding gives; a kernel that it does not pad, and that is larger than its stride, is padded
            to its centre).
        outside: what pads a map.
        pools: `outputs` for pooling.
    """

    name: str
    outputs: Literal["touching", "inside", "published"]
    outside: Literal["zero", "background", "circular", "reflect", "replicate", "ignored"]
    pools: Literal["touching", "inside", "published"]

    @property
    def joins(self) -> str:
        """How the extents of a sum's parts combine: `union`, `intersection`, or `equal`."""
        return {"touching": "union", "inside": "intersection", "published": "equal"}[self.outputs]


RULES = {
    rule.name: rule
    for rule in (
        Rule("valid", "inside", "zero", "inside"),
        Rule("full", "touching", "zero", "touching"),
        # The authors' full ResNets leave their pooling unpadded.
        Rule("full, pools inside", "touching", "zero", "inside"),
        Rule("unbounded", "touching", "background", "touching"),
        Rule("circular", "published", "circular", "published"),
        Rule("reflect", "published", "reflect", "published"),
        Rule("replicate", "published", "replicate", "published"),
        Rule("partial", "published", "ignored", "published"),
    )
}


@dataclass(frozen=True)
class Window:
    """A sliding operation along one axis, as published.

    Args:
        kernel: taps.
        stride: step of the kernel.
        padding: before the axis; it says where the index grid lies.
        trailing: padding after the axis; equal to `padding` but for explicit lopsided padding.
        dilation: step between taps.
    """

    kernel: int
    stride: int
    padding: int
    trailing: int
    dilation: int
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Distance from the first tap to the last."""
        return (self.kernel - 1) * self.dilation

    def centred(self) -> Window:
        """Padded to its centre where the network does not pad it and it is larger than its stride."""
        if self.padding or self.trailing or self.kernel <= self.stride:
            return self
        before = self.reach // 2
        return replace(self, padding=before, trailing=self.reach - before)

    def wished_phase(self, outputs: str, start: int) -> int:
        """Offset of output 0 within its stride at which the first output just touches, or lies inside, the map.

        A strided layer is free to choose it; the authors' choice for full convolution is padding k - 1.
        """
        if outputs == "published":
            return 0
        return (start + self.padding - (self.reach if outputs == "touching" else 0)) % self.stride

    def extent(self, outputs: str, start: int, size: int, phase: int) -> tuple[int, int, int]:
        """Padding before and after the axis, and the first output's index; negative padding crops.

        Args:
            outputs: see `Rule`.
            start: index of the axis's first entry.
            size: entries of the axis.
            phase: offset of output 0 in input entries.
        """
        if outputs == "published":
            room = size + self.padding + self.trailing - self.reach - 1
            first, last = 0, room // self.stride
            if self.ceil and room % self.stride and (last + 1) * self.stride < size + self.padding:
                last += 1
        else:
            slack = self.reach if outputs == "touching" else 0
            first = -((phase + slack - start - self.padding) // self.stride)
            last = (start + size - 1 + self.padding - phase - self.reach + slack) // self.stride
        tap = self.stride * first - self.padding + phase  # where the first output's first tap lies
        end = tap + self.stride * (last - first) + self.reach
        return start - tap, end - (start + size - 1), first


def padded(content: Tensor, background: Tensor | None, pads: tuple[int, int, int, int], outside: str) -> Tensor:
    """A map continued beyond its edges.

    Args:
        content: [N, C, H, W], a plain tensor or a canvas.
        background: [1, C, 1, 1] for outside=background, else None.
        pads: left, right, top, bottom; negative numbers crop.
        outside: see `Rule`; `ignored` pads with zeros here, and `lowest` with what no maximum takes.
    """
    if not any(pads):
        return content
    if outside == "lowest":
        return F.pad(content, pads, value=-torch.inf)
    if outside in ("circular", "reflect", "replicate"):  # first grown, then cropped: a wrap is of the whole map
        left, right, top, bottom = (max(p, 0) for p in pads)
        grown = F.pad(content, (left, right, top, bottom), mode=outside) if left or right or top or bottom else content
        return F.pad(grown, tuple(min(p, 0) for p in pads)) if min(pads) < 0 else grown
    if background is None:
        return F.pad(content, pads)
    nothing = content[:, :1].nan_to_num(0.0, 0.0, 0.0) * 0
    beyond = F.pad(nothing, pads, value=1.0)  # 1 where the background is, 0 on the map
    return F.pad(content, pads) + beyond * background
