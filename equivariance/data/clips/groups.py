"""Source films: videos cut from one film show the same people and places, so they are all in one split."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

# v_SoccerJuggling_g23_c01.avi; the numbers of groups begin anew in each class.
UCF101 = re.compile(r"^v_(\w+)_(g\d+)_c\d+$")
# TrumanShow_wave_f_nm_np1_fr_med_26.avi: film, class, visible parts, camera, people, side, quality, number.
HMDB51 = re.compile(r"^(.+)_(?:[a-z]+(?:_[a-z]+)*?)_[a-z]_(?:cm|nm)_np\d+_(?:ba|fr|le|ri)_(?:bad|med|goo)_\d+$")


def group(path: Path) -> str:
    """The source film of a video, as its name tells; of other names, the video itself.

    >>> group(Path("TrumanShow_wave_f_nm_np1_fr_med_26.avi"))
    'TrumanShow'
    """
    ucf = UCF101.match(path.stem)
    if ucf:
        return f"{ucf[1]}/{ucf[2]}"
    # The class is the folder's name, wherever that is known: film names have underscores too.
    film, found, _ = path.stem.partition(f"_{path.parent.name}_")
    hmdb = HMDB51.match(path.stem)
    if hmdb:
        return film if found and path.parent.name else hmdb[1]
    return str(path)


def together(paths: list[Path], share: float, random: np.random.Generator) -> set[str]:
    """Groups, in random order, until they have so large a share of the videos; one at least."""
    sizes: dict[str, int] = {}
    for path in paths:
        sizes[group(path)] = sizes.get(group(path), 0) + 1
    names, found, count = sorted(sizes), set(), 0
    for number in random.permutation(len(names)):
        if count >= share * len(paths):
            break
        found.add(names[number])
        count += sizes[names[number]]
    return found
