"""A data set of one's own gives the pictures it is asked for, or is refused in one line."""

from dataclasses import replace

import numpy as np
import pytest

from equivariance.data import Picture, load_pictures
from equivariance.errors import UserError
from equivariance.registries import DATA, DataSet


def pictures(data, side, skipped):
    random = np.random.default_rng(0)
    for number in range(12):
        yield Picture(random.integers(0, 256, (side, side, 3), dtype=np.uint8), str(number))


@pytest.fixture
def loaded(config, monkeypatch):
    def load(change):
        monkeypatch.setitem(DATA._known, "photos", DataSet(lambda *given: map(change, pictures(*given))))
        return load_pictures(config("data.pictures=4").data, 24)

    return load


def test_pictures_are_taken_as_they_are(loaded):
    assert [len(part) for part in loaded(lambda picture: picture).pictures.values()] == [4, 4, 4]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: replace(p, pixels=p.pixels / 255), r"float64 \[24, 24, 3\]"),
        (lambda p: replace(p, pixels=p.pixels[:10]), r"uint8 \[10, 24, 3\]"),
        (lambda p: replace(p, pixels=p.pixels[..., 0]), r"uint8 \[24, 24\]"),
        (lambda p: replace(p, pixels=p.pixels.tolist()), "a Picture of list"),
        (lambda p: replace(p, split="val"), "split=val"),
        (lambda p: p.pixels, "gives ndarray"),
    ],
)
def test_anything_else_is_refused(loaded, change, said):
    with pytest.raises(UserError, match=said) as caught:
        loaded(change)
    assert "\n" not in str(caught.value)
