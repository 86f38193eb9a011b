"""Folders of videos, root/<class>/<video>, split by published lists or by source: of one source film, all in one split.

Published: UCF101 (Soomro et al. 2012, `trainlist01.txt` and `testlist01.txt`) and HMDB51 (Kuehne et al. 2011,
`<class>_test_split1.txt` with 1 for training, 2 for test, 0 for neither), whose lists lie in the root or in the folder
that they are published in. Validation is taken from the training videos, by whole groups.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from equivariance.data.clips.films import Films
from equivariance.data.clips.frames import Kept
from equivariance.data.clips.groups import group, together
from equivariance.data.clips.lists import lists, published
from equivariance.data.picture_file import UnusableError
from equivariance.data.splits import SPLITS
from equivariance.errors import UserError, printable, reason
from sweeps.terminal import track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from equivariance.config.clips import Videos

SUFFIXES = {".avi", ".mp4", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v"}


@dataclass(frozen=True)
class Files:
    """Videos in files.

    Args:
        paths: of n files.
        kept: their frames.
        lengths: frames of each.
    """

    paths: list[Path]
    kept: Kept
    lengths: list[int]

    def length(self, number: int) -> int:
        """Frames of a video."""
        return self.lengths[number]

    def frames(self, number: int, indices: Sequence[int]) -> Tensor:
        """Some of its frames, uint8 [frames, 3, h, w]."""
        return self.kept.frames(self.paths[number], indices)


def load(data: Videos) -> dict[str, Films]:
    """The videos of each of SPLITS; of one source film, all are in one of them.

    Every file is decoded once; what cannot be used, and what has fewer frames than a clip, is left out, listed.

    Raises: UserError: a missing folder or list, a split without videos, or published lists that share a source film.
    """
    root = Path(str(data.root))
    classes = _classes(root)
    paths = [path for files in classes.values() for path in files]
    missing: list[str] = []
    if data.name == "clips":
        dealt = _dealt(paths, data)
    else:
        dealt, missing = published(data, root, paths)
    kept = Kept(Path(data.cache) if data.cache else _cache(), data.resize, data.decoder)
    usable, skipped = _usable(kept, [p for p in paths if dealt.get(p)], data.frames, root)
    numbers = {path: number for number, files in enumerate(classes.values()) for path in files}
    found: dict[str, Films] = {}
    for split in SPLITS:
        mine = [path for path in usable if split in dealt[path]]
        if not mine:
            bad = f"; {len(skipped)} skipped, the first: {skipped[0]}" if skipped else ""
            raise UserError(f"data.root={printable(root)}: no videos for {split}{bad}")
        videos = Files(mine, kept, [usable[path] for path in mine])
        names = tuple(printable(path.relative_to(root)) for path in mine)
        labels = torch.tensor([numbers[path] for path in mine])
        found[split] = Films(videos, labels, names, tuple(classes), [] if found else [*missing, *skipped])
    return found


def held(root: Path) -> list[Path]:
    """All videos and lists of splits, in a fixed order; raises as `load` for the folder."""
    return [path for files in _classes(root).values() for path in files] + lists(root)


def _classes(root: Path) -> dict[str, list[Path]]:
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = {f.name: sorted(p for p in f.iterdir() if p.suffix.lower() in SUFFIXES) for f in folders}
    except OSError as error:
        raise UserError(f"data.root={printable(root)}: cannot be read ({reason(error)})") from error
    found = {name: files for name, files in found.items() if files}
    if len(found) < 2:
        raise UserError(
            f"data.root={printable(root)}: {len(found)} classes; allowed: two or more folders <class>/<video> as"
            f" {', '.join(sorted(SUFFIXES))}"
        )
    return found


def _dealt(paths: list[Path], data: Videos) -> dict[Path, set[str]]:
    """Test, then validation, by whole groups in random order; the rest is trained on."""
    random = np.random.default_rng(data.seed)
    test = together(paths, data.test, random)  # type: ignore[attr-defined]
    rest = [path for path in paths if group(path) not in test]
    aside = together(rest, data.validation, random)
    return {
        path: {"test" if group(path) in test else "validation" if group(path) in aside else "train"} for path in paths
    }


def _usable(kept: Kept, paths: list[Path], frames: int, root: Path) -> tuple[dict[Path, int], list[str]]:
    """The frames of each video that can be used, and a line for each other."""
    found, skipped = {}, []
    for path in track(paths, len(paths), "reading videos"):
        try:
            length = kept.length(path)
            if length < frames:
                raise UnusableError(f"{length} frames, fewer than a clip's {frames}")
            found[path] = length
        except (UnusableError, OSError) as error:
            skipped.append(f"{printable(path.relative_to(root))}: {reason(error)}")
    return found, skipped


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "equivariance" / "frames"
