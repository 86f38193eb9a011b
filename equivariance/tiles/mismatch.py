"""How far two outputs for one image are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from equivariance.tiles.arrays import Source, held
from equivariance.tiles.output import Selected


@dataclass(frozen=True)
class Mismatch:
    """How far some units of an output are from those of another, which is right.

    Args:
        largest: of the absolute differences.
        rms: root of their mean square.
        changed: share of places whose largest channel is another, in [0, 1]; 0 where there is one channel.
    """

    largest: float
    rms: float
    changed: float

    @classmethod
    def of(cls, right: np.ndarray, other: np.ndarray) -> Mismatch:
        """Of two outputs [C, ...] with the same places, at least one."""
        apart = np.abs(np.subtract(other, right, dtype=np.float64))
        changed = right.argmax(0) != other.argmax(0)
        return cls(float(apart.max()), float(np.sqrt(np.mean(np.square(apart)))), float(changed.mean()))


@torch.no_grad()
def whole(network: Selected, source: Source) -> np.ndarray:
    """A network's output [C, *space] for the whole image at once."""
    image = source.read(tuple(slice(0, side) for side in source.sides))
    return np.asarray(held(network(image[None].to(source.device))[0].cpu(), None))
