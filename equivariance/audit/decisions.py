"""What a shift does to decisions: how often a picture that lies elsewhere on an empty canvas is told the same."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from equivariance.errors import UserError, reason
from equivariance.finite import finite
from equivariance.library.structure import evaluating

BATCH = 32
NEIGHBOURS = tuple(by for by in product((-1, 0, 1), repeat=2) if by != (0, 0))


@dataclass(frozen=True)
class Share:
    """A share of pictures, or of pairs of their places.

    Args:
        value: in [0, 1].
        low: of the 95 % interval over new pictures (`sweeps.intervals`).
        high: of the interval.
        n: pictures.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}, n = {self.n})"


@dataclass(frozen=True)
class Consistency:
    """How often the class that a network tells stays.

    Args:
        moved: at two random places of a picture on an empty canvas.
        circular: in two random turns of the canvas around its edges.
        one_pixel: one pixel away from the middle, over all eight directions.
        one_pixel_worst: one pixel away in the worst direction.
        crops: in two random crops of a picture, of seven eighths of its side, as Zhang crops photographs; new content
            enters such crops, so that no network can be held to 100 %. None: the network fails on images of that side.
        floor: share of all decisions whose two best scores lie within rounding of each other: no share above can be
            told apart from others more finely.
        each: of `moved`, the share of each picture, by which networks can be compared in pairs.
    Source: Zhang 2019 (arXiv 1904.11486); circular: Saha et al. 2024 (2404.07410); worst: Shifman & Weiss (2404.07153).
    """

    moved: Share
    circular: Share
    one_pixel: Share
    one_pixel_worst: Share
    crops: Share | None
    floor: float
    each: tuple[float, ...] = ()


@dataclass(frozen=True)
class Diagonal:
    """Accuracy at places from the upper left to the bottom right of an empty canvas.

    Args:
        places: pixels of the upper left corner, the same down and across.
        accuracy: at each of them.
        mean: over all of them.
    Source: Kayhan & van Gemert 2020, section 4.1.
    """

    places: tuple[int, ...]
    accuracy: tuple[Share, ...]
    mean: Share


def diagonal(model: nn.Module, pictures: Tensor, labels: Tensor, input_size: int, places: int = 9) -> Diagonal:
    """How accurate a classifier is where its pictures lie.

    Args:
        model: as in `consistency`.
        pictures: as in `consistency`.
        labels: the right output of each picture, int64 [n].
        input_size: as in `consistency`.
        places: how many, as far apart as whole pixels let them.
    Raises: as `consistency`; UserError: labels that do not fit.
    """
    most = input_size - pictures.shape[-1]
    if most < 1:
        raise UserError(f"pictures of {pictures.shape[-1]} pixels: allowed: {input_size - 1} or smaller")
    if labels.shape != (len(pictures),) or labels.is_floating_point():
        raise UserError(f"labels: {list(labels.shape)} of {labels.dtype}; allowed: whole numbers, one a picture")
    corners = sorted({round(i * most / max(1, places - 1)) for i in range(places)})
    right = []
    with evaluating(model), torch.no_grad():
        for corner in corners:
            scores = _scores(model, pictures, torch.full((len(pictures), 2), corner), None, input_size)
            if not 0 <= int(labels.min()) <= int(labels.max()) < scores.shape[1]:
                raise UserError(f"labels: {int(labels.max())}; allowed: 0 to {scores.shape[1] - 1}")
            right.append(scores.argmax(1) == labels.to(scores.device))
    each = tuple(_share(told[None]) for told in right)
    return Diagonal(tuple(corners), each, _share(torch.stack(right)))


def consistency(model: nn.Module, pictures: Tensor, input_size: int, draws: int = 4, seed: int = 0) -> Consistency:
    """How often a classifier says the same of a picture that lies elsewhere.

    Args:
        model: maps images [N, C, H, W] to class scores [N, classes]; left as it is. Of `with_conv`, too.
        pictures: float [n, C, side, side], normalised; the canvas around them is 0.
        input_size: pixels a side of the canvas, two more than a picture's or larger.
        draws: pairs of places for each picture.
        seed: of the places, which are the same for all networks.
    Raises: UserError: the model gives no class scores, or the pictures do not fit. NotFinite: a score is not.
    """
    count, side = len(pictures), pictures.shape[-1]
    room = (input_size - side) // 2
    if room < 1:
        raise UserError(f"pictures of {side} pixels: allowed: {input_size - 2} or smaller, to be moved on {input_size}")
    random = torch.Generator().manual_seed(seed)
    margins: list[Tensor] = []

    def told(corners: Tensor, turn: Tensor | None = None) -> Tensor:
        scores = _scores(model, pictures, corners, turn, input_size)
        best = scores.topk(2, 1).values
        rounding = 64 * torch.finfo(scores.dtype).eps * scores.abs().amax(1)
        margins.append(best[:, 0] - best[:, 1] <= rounding)
        return scores.argmax(1)

    def places(most: int) -> Tensor:
        return torch.randint(0, most, (count, 2), generator=random)

    middle = torch.full((count, 2), room)
    with evaluating(model), torch.no_grad():
        here = told(middle)
        near = torch.stack([told(middle + torch.tensor(by)) == here for by in NEIGHBOURS])
        most = input_size - side + 1
        moved = torch.stack([told(places(most)) == told(places(most)) for _ in range(draws)])
        turns = torch.stack(
            [told(middle, places(input_size)) == told(middle, places(input_size)) for _ in range(draws)]
        )
    worst, cropped = near.all(0, keepdim=True), _crops(model, pictures, draws, random)
    floor = float(torch.cat(margins).double().mean())
    return Consistency(_share(moved), _share(turns), _share(near), _share(worst), cropped, floor, _each(moved))


def _crops(model: nn.Module, pictures: Tensor, draws: int, random: torch.Generator) -> Share | None:
    side = pictures.shape[-1]
    kept = side - max(1, side // 8)

    def told() -> Tensor:
        corners = torch.randint(0, side - kept + 1, (len(pictures), 2), generator=random)
        cut = torch.stack(
            [p[:, y : y + kept, x : x + kept] for p, (y, x) in zip(pictures, corners.tolist(), strict=True)]
        )
        return _scores(model, cut, torch.zeros(len(cut), 2, dtype=torch.int64), None, kept).argmax(1)

    try:
        with evaluating(model), torch.no_grad():
            return _share(torch.stack([told() == told() for _ in range(draws)]))
    except UserError:  # a classifier that wants its own size
        return None


def _scores(model: nn.Module, pictures: Tensor, corners: Tensor, turn: Tensor | None, side: int) -> Tensor:
    """Class scores [n, classes] of the pictures with these upper left corners, turned around afterwards."""
    found = []
    size = pictures.shape[-1]
    for first in range(0, len(pictures), BATCH):
        part = pictures[first : first + BATCH]
        images = part.new_zeros(len(part), part.shape[1], side, side)
        for i, image in enumerate(images):
            y, x = corners[first + i].tolist()
            image[:, y : y + size, x : x + size] = part[i]
            if turn is not None:
                image.copy_(image.roll(tuple(turn[first + i].tolist()), (1, 2)))
        try:
            scores = model(images)
        except UserError:
            raise
        except Exception as error:  # other people's code: it may fail in any way
            raise UserError(f"fails on images of {side} pixels ({reason(error)})") from error
        if not isinstance(scores, Tensor) or scores.dim() != 2 or scores.shape[1] < 2:
            raise UserError("the output is not class scores [N, classes], so there are no decisions")
        found.append(finite(scores, "a class score"))
    return torch.cat(found)


def _each(told: Tensor) -> tuple[float, ...]:
    """Of bool [draws, n], the share of each picture."""
    return tuple(told.double().mean(0).tolist())


def _share(told: Tensor) -> Share:
    """Of bool [draws, n]; a picture is one unit of the interval, whatever its draws."""
    from sweeps.intervals import of_scores

    each = told.double().mean(0)
    low, high = of_scores(each[None].cpu().numpy())
    return Share(float(each.mean()), low, high, len(each))
