"""Source pictures for training, validation and test: no picture in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from equivariance.errors import UserError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Picture:
    """One source picture.

    Args:
        pixels: uint8 [side, side, 3], RGB.
        source: where it was taken from, to name it in messages.
        turn: number of its class plus how many of that class came before; None where there are no classes.
        split: the one of SPLITS that it must be in; None: any.
        group: pictures of one group (of one patient, scene or writer) are all in one split; None: it stands alone.
    """

    pixels: np.ndarray
    source: str
    turn: int | None = None
    split: str | None = None
    group: str | None = None

    @property
    def content(self) -> str:
        """A digest of the pixels: equal pictures have equal digests whatever their names."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()


@dataclass(frozen=True)
class Splits:
    """The pictures of the three splits and what was skipped on the way.

    Args:
        pictures: for each of SPLITS, its pictures.
        skipped: one line for each file that could not be read.
    """

    pictures: dict[str, list[Picture]]
    skipped: list[str] = field(default_factory=list)

    def tensor(self, split: str, mean: list[float], std: list[float]) -> Tensor:
        """The pictures of one split, normalised.

        Args:
            split: one of SPLITS.
            mean: per channel, for pixels in [0, 1].
            std: per channel.
        Returns: [n, 3, side, side] in torch's default floating point type.
        """
        stacked = torch.from_numpy(np.stack([p.pixels for p in self.pictures[split]]))
        scaled = (
            stacked.permute(0, 3, 1, 2).to(torch.get_default_dtype()) / 255
        )  # [n, side, side, 3] -> [n, 3, side, side]
        return (scaled - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def deal(pictures: Iterator[Picture], count: int, skipped: list[str]) -> Splits:
    """Deals pictures in turn to the three splits until each has `count`; those of one group all go to one.

    Args:
        pictures: read lazily, in a fixed order; no more than needed are read.
        count: pictures per split.
        skipped: filled by the reader as it goes.
    Raises: UserError: too few pictures, or one picture in two splits.
    """
    dealt: dict[str, list[Picture]] = {split: [] for split in SPLITS}
    homes: dict[str, str] = {}
    number = 0
    while number < 3 * count:
        picture = next(pictures, None)
        if picture is None:
            bad = f"; {len(skipped)} skipped" if skipped else ""
            raise UserError(
                f"data.pictures={count}: three splits need {3 * count} pictures, the source has {number}{bad};"
                f" allowed: up to {min(map(len, dealt.values())) if homes else number // 3}"
            )
        split = _home(picture, number, {s for s in SPLITS if len(dealt[s]) < count}, homes)
        if split is not None:
            dealt[split].append(picture)
            number += 1
    return checked(Splits(dealt, skipped))


def _home(picture: Picture, number: int, free: set[str], homes: dict[str, str]) -> str | None:
    """The split of a picture; None: those that it may be in are full."""
    # The pictures of a class go round the splits, as long as these have room.
    first = number + number // 3 if picture.turn is None else picture.turn
    turns = [SPLITS[(first + step) % 3] for step in range(3)]
    bound = picture.split or homes.get(picture.group or "")
    home = next((split for split in turns if split in free and bound in (None, split)), None)
    if home is not None and picture.group is not None:
        homes[picture.group] = home
    return home


def checked(splits: Splits) -> Splits:
    """The splits, if no picture's content appears in two of them.

    Raises: UserError: naming the two sources.
    """
    seen: dict[str, tuple[str, str]] = {}
    for split, pictures in splits.pictures.items():
        for picture in pictures:
            other, source = seen.setdefault(picture.content, (split, picture.source))
            if other != split:
                raise UserError(
                    f"data: the same picture is in two splits, {other} ({source}) and {split} ({picture.source});"
                    " remove one of the files"
                )
    return splits


def shared(pictures: Iterator[Picture], count: int, skipped: list[str]) -> Splits:
    """The first pictures in all three roles, as the authors' generator has it.

    Args:
        pictures: as in `deal`.
        count: pictures.
        skipped: as in `deal`.
    Raises: UserError: too few pictures.
    """
    found = list(islice((p for p in pictures if p.split in (None, SPLITS[0])), count))
    if len(found) < count:
        raise UserError(f"data.pictures={count}: the source has {len(found)}; allowed: up to {len(found)}")
    return Splits(dict.fromkeys(SPLITS, found), skipped)
