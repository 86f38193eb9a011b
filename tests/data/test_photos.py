"""Photographs: splits from disjoint regions, the same again for the same seed, real content."""

import numpy as np
import pytest
from PIL import Image

from equivariance.config.data import Pictures
from equivariance.data import load_pictures
from equivariance.data import photos as module
from equivariance.data.splits import SPLITS


def photos(count, side, seed):
    choices = {"crop": 1.0, "resize": "antialias", "splits": "disjoint", "augment": "none"}
    return load_pictures(Pictures(name="photos", root=None, pictures=count, seed=seed, **choices), side)


def contents(splits):
    return {split: [p.content for p in splits.pictures[split]] for split in SPLITS}


def test_splits_have_the_wanted_pictures_and_share_none():
    splits = photos(24, 56, 0)
    found = contents(splits)
    for split in SPLITS:
        assert len(found[split]) == 24
        assert all(p.pixels.shape == (56, 56, 3) and p.pixels.dtype == np.uint8 for p in splits.pictures[split])
    sets = [set(found[split]) for split in SPLITS]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]


@pytest.mark.parametrize("shape", [(240, 765), (765, 240), (400, 400)], ids=["wide", "tall", "square"])
def test_no_pixel_of_a_photograph_is_in_two_splits(monkeypatch, shape):
    """The red channel holds the place along the longer side, which resizing within a crop cannot leave."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    axis = 0 if shape[0] > shape[1] else 1
    ramp = (np.arange(shape[axis]) * 255 // (shape[axis] - 1)).astype(np.uint8)
    pixels[..., 0] = ramp[:, None] if axis == 0 else ramp[None]
    monkeypatch.setattr(module, "photograph", lambda name: Image.fromarray(pixels))
    splits = photos(40, 24, 3)
    ranges = []
    for split in SPLITS:
        red = np.stack([p.pixels[..., 0] for p in splits.pictures[split]])
        ranges.append((int(red.min()), int(red.max())))
    (_, a), (b, c), (d, _) = ranges
    assert a <= b
    assert c <= d
    assert ranges[0][0] < 30  # the strips are used up to their ends
    assert ranges[2][1] > 225


def test_the_same_seed_gives_the_same_pictures_and_another_others():
    one = contents(photos(5, 40, 7))
    assert one == contents(photos(5, 40, 7))
    assert not set(one["test"]) & set(contents(photos(5, 40, 8))["test"])


def test_fewer_pictures_are_the_first_ones_of_more():
    more, fewer = contents(photos(9, 40, 7)), contents(photos(4, 40, 7))
    assert all(more[split][:4] == fewer[split] for split in SPLITS)


def test_no_crop_is_plain_and_sources_are_named():
    splits = photos(24, 56, 1)
    pictures = [p for split in SPLITS for p in splits.pictures[split]]
    assert min(p.pixels.std() for p in pictures) > 5
    assert all(p.source.startswith(module.PHOTOS) for p in pictures)
    assert len({p.content for p in pictures}) == len(pictures)
