"""Whether a head tells the two places apart on unseen pictures: an exact test that counts each picture once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from torch import Tensor, nn

from equivariance.finite import finite
from equivariance.probe import rounding


@dataclass(frozen=True)
class Decoding:
    """How well unseen pictures were told apart.

    Args:
        right: pictures of which both images were told right.
        wrong: pictures of which both were told wrong.
        n: pictures, those included of which one image was told right: they decide nothing.
        told: which ones, as `digits` has it; of a picture that decides nothing the first image counts as told right.
    """

    right: int
    wrong: int
    n: int
    told: list[str] = field(default_factory=list, compare=False)

    @property
    def accuracy(self) -> float:
        """Share of images told right, in [0, 1]."""
        return 0.5 + (self.right - self.wrong) / (2 * self.n)

    def low(self, confidence: float) -> float:
        """Lower confidence bound of the accuracy; above one half exactly where the sign test rejects chance.

        A picture's two images are anything but independent: one that looks as if it lay at the upper left looks so at
        the bottom right too, and has one image right whatever the head knows. So the picture is the unit. Of the
        pictures that decide, at chance as many are told right as wrong, and pictures are drawn independently: their
        number is binomial, and its bound Clopper and Pearson's. The share of pictures that decide is taken as it is.

        Args:
            confidence: one-sided, in [0.5, 1).
        """
        from scipy.stats import binomtest

        decided = self.right + self.wrong
        if not decided:
            return 0.5
        share = binomtest(self.right, decided, alternative="greater").proportion_ci(confidence).low
        return 0.5 + decided / self.n * (share - 0.5)


def decode(head: nn.Linear, features: Tensor, tolerance: float) -> Decoding:
    """Applies a head to pictures at both places.

    A picture whose two scores differ by no more than rounding counts as undecided: where both places give the same
    features in exact arithmetic, a head with large enough weights would read its own noise.

    Args:
        head: two classes.
        features: float [2n, C], of n pictures at the upper left, then of the same at the bottom right.
        tolerance: of the engine, a share of each feature's largest entry that counts as rounding too.
    Raises: NotFinite: a score is not, so that nothing can be said.
    """
    weight, bias = (p.detach().double() for p in (head.weight, head.bias))
    weight, bias = weight[1] - weight[0], bias[1] - bias[0]
    upper, lower = finite(features.double() @ weight + bias, "the head's scores").chunk(2)
    noise = rounding(features) + tolerance * features.double().abs().amax(0)
    clear = (lower - upper).abs() > (weight.abs() * noise).sum()
    right, wrong = clear & (upper < 0) & (lower > 0), clear & (upper > 0) & (lower < 0)
    return Decoding(int(right.sum()), int(wrong.sum()), len(upper), digits((~wrong, right)))


def search(decodable: Callable[[int], bool], bound: int | None, resolution: int, limit: int) -> tuple[int, int | None]:
    """Bisection over the multiples of the resolution, taking for granted that a leak ends once and for all.

    Args:
        decodable: tries one border.
        bound: in pixels; nothing is decodable from it on, and it is never tried. None: not known.
        resolution: pixels.
        limit: pixels; the largest border tried where there is no bound.
    Returns: The largest border found decodable, and the lowest above it known not to be, or None; (0, 0) if none is.
    """
    if bound == 0 or not decodable(0):
        return 0, 0
    low, high = 0, limit // resolution if bound is None else -(-bound // resolution)
    if bound is None and (high == 0 or decodable(high * resolution)):
        return high * resolution, None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if decodable(middle * resolution) else (low, middle)
    return low * resolution, high * resolution if bound is None else min(high * resolution, bound)


def digits(places: Iterable[Tensor]) -> list[str]:
    """Which pictures were told right, small enough to be kept in a result.

    Args:
        places: for each place where pictures lie, bool [pictures].
    Returns: For each place a digit a picture: 1 where it was told right, else 0.
    """
    return ["".join("1" if told else "0" for told in place.tolist()) for place in places]
