"""Clips of videos: which frames, which part of them, in which size.

Source: Hara et al. 2018 (arXiv 1711.09577), section 3.3, as the released code has it: in training, consecutive frames
from a random one on, a corner or the middle at one of several scales, mirrored by chance; else clips from the first
frame on, one after another, of the middle. Short videos begin again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from equivariance.data.clips.films import Films

PLACES = 5  # four corners and the middle


@dataclass(frozen=True)
class Cut:
    """What a clip shows of a video.

    Args:
        start: first frame.
        scale: side of the square, as a share of the shorter side.
        place: 0 to 3: corner; 4: middle.
        mirrored: left-right.
    """

    start: int
    scale: float = 1.0
    place: int = 4
    mirrored: bool = False


def central(films: Films, frames: int, most: int) -> list[tuple[int, Cut]]:
    """Clips one after another, at most so many of each video, with the number of their video."""
    found = []
    for number in range(len(films)):
        count = max(1, min(most, films.videos.length(number) // frames))
        found += [(number, Cut(frames * clip)) for clip in range(count)]
    return found


def drawn(length: int, frames: int, scales: Sequence[float], flip: bool, random: np.random.Generator) -> Cut:
    """A random clip of a video of so many frames."""

    def below(count: int) -> int:
        return int(random.integers(count))

    start, scale, place, mirrored = below(max(1, length - frames + 1)), below(len(scales)), below(PLACES), below(2)
    return Cut(start, scales[scale], place, flip and mirrored == 1)


def clip(films: Films, number: int, cut: Cut, frames: int, side: int) -> Tensor:
    """A clip, float [3, frames, side, side], in [0, 1]."""
    length = films.videos.length(number)
    seen = films.videos.frames(number, [(cut.start + i) % length for i in range(frames)])
    height, width = seen.shape[2:]
    size = max(1, round(cut.scale * min(height, width)))
    tops, lefts = (0, 0, height - size, height - size), (0, width - size, 0, width - size)
    top, left = (*zip(tops, lefts, strict=True), ((height - size) // 2, (width - size) // 2))[cut.place]
    square = seen[:, :, top : top + size, left : left + size].float() / 255
    if size != side:
        square = F.interpolate(square, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return (square.flip(3) if cut.mirrored else square).transpose(0, 1)  # [T, 3, side, side] -> [3, T, side, side]
