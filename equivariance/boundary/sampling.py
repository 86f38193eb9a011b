"""How strided layers sample: what is asked, and the filter before a stride."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal, get_args

import torch
from torch import Tensor

from equivariance.errors import UserError

Downsample = Literal["strided", "blur", "polyphase"]
DOWNSAMPLES: tuple[str, ...] = get_args(Downsample)
SIZES = range(1, 8)


@dataclass(frozen=True)
class Sampling:
    """How every strided layer of a network samples.

    Args:
        downsample: `strided`, as published; `blur`, a binomial filter before the stride; `polyphase`, for each image
            the phase with the largest norm.
        size: taps of the blur's filter along an axis, 1 to 7; one tap is `strided`.
    Raises: UserError: another name or size.
    Source: Zhang 2019 (arXiv 1904.11486); Chaman & Dokmanić 2021 (arXiv 2011.14214).
    """

    downsample: str = "strided"
    size: int = 3

    def __post_init__(self) -> None:
        if self.downsample not in DOWNSAMPLES:
            raise UserError(f"downsample={self.downsample}: allowed: {', '.join(DOWNSAMPLES)}")
        if self.size not in SIZES:
            raise UserError(f"downsample.size={self.size}: allowed: {SIZES[0]} to {SIZES[-1]}")

    @property
    def strided(self) -> bool:
        """Whether layers sample as published."""
        return self.downsample == "strided" or (self.downsample == "blur" and self.size == 1)


STRIDED = Sampling()


def binomial(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """[1, 1, *sizes], the binomial filter of each axis, which sum to one.

    >>> binomial((3,), torch.empty(0))
    tensor([[[0.2500, 0.5000, 0.2500]]])
    """
    found = torch.ones(1, 1, dtype=like.dtype, device=like.device)
    for size in sizes:
        taps = [comb(size - 1, i) / 2 ** (size - 1) for i in range(size)]
        found = found[..., None] * torch.tensor(taps, dtype=like.dtype, device=like.device)
    return found
