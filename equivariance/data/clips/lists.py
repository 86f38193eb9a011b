"""Published lists of splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equivariance.data.clips.groups import group, together
from equivariance.errors import UserError, printable, reason

if TYPE_CHECKING:
    from equivariance.config.clips import Videos

# Folders in which they are published, beside the root itself.
FOLDERS = ("", "ucfTrainTestlist", "testTrainMulti_7030_splits")
Dealt = dict[Path, set[str]]  # the splits of each video


def lists(root: Path) -> list[Path]:
    """All text files where lists may be, sorted."""
    return [path for folder in FOLDERS for path in sorted((root / folder).glob("*.txt"))]


def published(data: Videos, root: Path, paths: list[Path]) -> tuple[Dealt, list[str]]:
    """The splits of each video that the lists name, and a line for each that is named and not there.

    Raises: UserError: no lists, or a source film in both; HMDB51's are told by the names of files alone, and counted.
    """
    named = _ucf101(root, data.split) if data.name == "ucf101" else _hmdb51(root, data.split)  # type: ignore[attr-defined]
    there = {path.relative_to(root).as_posix(): path for path in paths}
    missing = [f"{printable(name)}: listed, not there" for name in named if name not in there]
    dealt = {there[name]: {split} for name, split in named.items() if name in there}
    train = [path for path, splits in dealt.items() if splits == {"train"}]
    test = {group(path) for path, splits in dealt.items() if splits == {"test"}}
    both = sorted(test & {group(path) for path in train})
    if both and data.name == "ucf101":
        raise UserError(
            f"data.root={printable(root)}: {both[0]} is trained and tested on; allowed: the published lists"
        )
    told = [f"{len(both)} source films are trained and tested on, as published"] if both else []
    if data.splits == "shared":  # type: ignore[attr-defined]
        return {p: {"test", "validation"} if s == {"test"} else s for p, s in dealt.items()}, [*told, *missing]
    aside = together(train, data.validation, np.random.default_rng(data.seed))
    dealt |= {path: {"validation"} for path in train if group(path) in aside}
    return dealt, [*told, *missing]


def _ucf101(root: Path, split: int) -> dict[str, str]:
    found = {}
    for name in ("train", "test"):
        for line in _lines(root, f"{name}list0{split}.txt"):
            found[line.split()[0]] = name
    return found


def _hmdb51(root: Path, split: int) -> dict[str, str]:
    ending = f"_test_split{split}.txt"
    files = [path for path in lists(root) if path.name.endswith(ending)]
    if not files:
        raise UserError(f"data.root={printable(root)}: no <class>{ending} there or in {FOLDERS[2]}")
    found = {}
    for path in files:
        for line in _lines(root, path.name):
            name, _, number = line.rpartition(" ")
            if number in ("1", "2"):
                found[f"{path.name.removesuffix(ending)}/{name.strip()}"] = "train" if number == "1" else "test"
    return found


def _lines(root: Path, name: str) -> list[str]:
    places = [root / folder / name for folder in FOLDERS if (root / folder / name).is_file()]
    if not places:
        raise UserError(f"data.root={printable(root)}: no {name} there or in {FOLDERS[1]}")
    try:
        return [line.strip() for line in places[0].read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"data.root={printable(places[0])}: cannot be read ({reason(error)})") from error
