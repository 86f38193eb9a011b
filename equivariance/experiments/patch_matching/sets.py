"""What a run trains and tests on: no patch in both."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.errors import UserError
from equivariance.experiments.patch_matching import hpatches, phototour
from equivariance.experiments.patch_matching.patches import PairSet, Patches, Sets, pairs
from equivariance.experiments.patch_matching.views import views

if TYPE_CHECKING:
    from equivariance.experiments.patch_matching.config import HPatches, PatchData, PhotoTour


def load(data: PatchData) -> Sets:
    """The patches of a run's data set.

    Raises: UserError: data that cannot be had, or less than is asked for.
    """
    if data.name == "phototour":
        return _phototour(data)  # type: ignore[arg-type]
    train, test = _hpatches(data) if data.name == "hpatches" else (views(s, data.seed) for s in ("train", "test"))  # type: ignore[arg-type]
    disjoint(train, test)
    assert data.pairs is not None  # the schema
    return Sets(train, {data.name: PairSet(test, pairs(test, data.pairs, data.seed))})


def disjoint(train: Patches, *tests: Patches) -> None:
    """Refuses patches of which one, by its content, is in both; but for patches of one grey, which show nothing.

    Raises: UserError: how many are.
    """
    trained = _contents(train)
    for both in (trained & _contents(test) for test in tests):
        if both:
            raise UserError(f"data: {len(both)} patches are both trained and tested on; remove them from one side")


def _contents(patches: Patches) -> set[bytes]:
    shown = patches.pixels[patches.pixels.max((1, 2)) > patches.pixels.min((1, 2))]
    return {hashlib.sha256(patch.tobytes()).digest() for patch in shown}


def _phototour(data: PhotoTour) -> Sets:
    root = Path(str(data.root))
    tests = {name: phototour.test(root / name, data.pairs) for name in data.tested}
    train = phototour.patches(root / data.train)
    disjoint(train, *(test.patches for test in tests.values()))
    return Sets(train, tests)


def _hpatches(data: HPatches) -> tuple[Patches, Patches]:
    return hpatches.split(hpatches.sequences(Path(str(data.root))), data.tested)
