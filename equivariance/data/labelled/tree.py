"""Folders of pictures, root/train/<class>/… and root/val/<class>/…, whose pictures are read when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from equivariance.data.folder import listed
from equivariance.data.labelled.files import Files, Usable
from equivariance.data.labelled.labelled import Labelled
from equivariance.data.splits import SPLITS
from equivariance.errors import UserError, printable, reason

if TYPE_CHECKING:
    from equivariance.config.labelled import LabelledFolder

# The folder from which each split is taken, in this order: a picture that is in one split is left out of later ones.
FOLDERS = {"test": "val", "validation": "train", "train": "train"}
# Classes by name, and the pictures of each.
Tree = dict[str, list[Path]]


def load(data: LabelledFolder, look: bool = True) -> dict[str, Labelled]:
    """Test pictures from root/val, validation and training pictures from root/train, chosen by the seed.

    Each is read once, to know that it can be used and that no earlier split has the same: others are left out, listed.

    Args:
        data: the data set.
        look: at training pictures, too; otherwise the split's `flaws` do when they are asked.
    Raises: UserError: a missing folder, one that is not laid out like this, unknown classes, or too few pictures.
    """
    root = Path(str(data.root))
    trees = {name: _tree(root, name) for name in ("train", "val")}
    classes = _classes(data, trees)
    random, usable = np.random.default_rng(data.seed), Usable(root)
    left = {name: _shuffled(tree, classes, random) for name, tree in trees.items()}
    found = {}
    for split, folder in FOLDERS.items():
        take = _split if look or split != "train" else _unread
        found[split], left[folder] = take(split, data, usable, left[folder], classes)
    return {split: found[split] for split in SPLITS}


def held(data: LabelledFolder) -> list[Path]:
    """The pictures of all classes that are asked for, in both trees, in a fixed order.

    Raises: UserError: as `load`, but for too few pictures.
    """
    trees = {name: _tree(Path(str(data.root)), name) for name in ("train", "val")}
    classes = _classes(data, trees)
    return [file for tree in trees.values() for name in classes for file in tree.get(name, [])]


def _tree(root: Path, name: str) -> Tree:
    folder = root / name
    laid = f"allowed: {printable(root)}/train/<class>/<picture> and {printable(root)}/val/<class>/<picture>"
    try:
        if not folder.is_dir():
            raise UserError(f"data.root={printable(root)}: no sub-folder {name}; {laid}")
        loose, classes = listed(folder)
    except OSError as error:
        raise UserError(f"data.root={printable(root)}: cannot be read ({reason(error)})") from error
    if loose or not classes:
        told = f"{len(loose)} pictures in {name} are in no class" if loose else f"no pictures in {name}"
        raise UserError(f"data.root={printable(root)}: {told}; {laid}")
    return {path.name: files for path, files in classes.items()}


def _classes(data: LabelledFolder, trees: dict[str, Tree]) -> tuple[str, ...]:
    names = sorted(trees["train"] if data.classes is None else data.classes)
    missing = sorted((set(names) if data.classes else set(trees["val"])) - set(trees["train"]))
    if missing:
        some = ", ".join(map(printable, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise UserError(f"data.root={printable(str(data.root))}: no class {some} in train, where all must be")
    if len(names) < 2:
        raise UserError(f"data.root={printable(str(data.root))}: one class in train; allowed: two or more")
    return tuple(names)


def _shuffled(tree: Tree, classes: tuple[str, ...], random: np.random.Generator) -> list[tuple[Path, int]]:
    """Each picture with the number of its class, in random order."""
    found = [(file, number) for number, name in enumerate(classes) for file in tree.get(name, [])]
    return [found[i] for i in random.permutation(len(found))]


def _split(
    split: str, data: LabelledFolder, usable: Usable, left: list[tuple[Path, int]], classes: tuple[str, ...]
) -> tuple[Labelled, list[tuple[Path, int]]]:
    """The pictures of a split, and what is left of those that it was taken from."""
    wanted, skipped = getattr(data, split), []
    count = len(left) if wanted is None else wanted
    taken: list[int] = []
    looked, told = 0, usable.each(split, [file for file, _ in left])
    # No further than needed: a picture that is looked at is of this split.
    while len(taken) < count and (answer := next(told, None)):
        keep, line = answer
        taken += [looked] if keep else []
        skipped += [] if keep else [line]
        looked += 1
    if len(taken) < (wanted or 1):
        bad = f", {len(skipped)} skipped" if skipped else ""
        raise UserError(
            f"data.{split}={'null' if wanted is None else wanted}: {len(taken)} pictures are left{bad};"
            " allowed: up to these"
        )
    files = Files([left[turn][0] for turn in taken], usable.root, data.resize, data.side)
    labels = torch.tensor([left[turn][1] for turn in taken])
    turns = torch.tensor(taken)
    return Labelled(files, labels, tuple(files.names), classes, skipped, turns=turns), left[looked:]


def _unread(
    split: str, data: LabelledFolder, usable: Usable, left: list[tuple[Path, int]], classes: tuple[str, ...]
) -> tuple[Labelled, list[tuple[Path, int]]]:
    """The same without a look at any file, of which some may have flaws."""
    wanted = getattr(data, split)
    if len(left) < (wanted or 1):
        said = "null" if wanted is None else wanted
        raise UserError(f"data.{split}={said}: {len(left)} pictures are left; allowed: up to these")
    taken = left[:wanted]
    files = Files([file for file, _ in taken], usable.root, data.resize, data.side)

    def look(chosen: list[int]) -> list[str | None]:
        told = usable.each(split, [files.paths[i] for i in chosen])
        return [None if keep else line for keep, line in told]

    labels = torch.tensor([number for _, number in taken])
    return Labelled(files, labels, tuple(files.names), classes, look=look), left[len(taken) :]
