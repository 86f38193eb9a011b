"""Training pictures are drawn anew each epoch, always the same ones for a seed, in whatever order and by any thread."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equivariance.data.labelled import Labelled, augmented
from equivariance.data.labelled.augment import AREA, ASPECT, box
from equivariance.experiments import compute
from equivariance.loading import ahead, loaded

PIXELS = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))
SPLIT = Labelled(PIXELS, torch.arange(12) % 2, tuple(map(str, range(12))), ("a", "b"))
ALL = torch.arange(12)


@pytest.mark.parametrize("how", ["flip", "crop"])
def test_a_draw_depends_on_seed_epoch_and_picture_alone(how):
    def drawn(chosen, seed=3, epoch=1):
        return augmented(SPLIT, chosen, how, 16, seed, epoch)

    whole, order = drawn(ALL), torch.randperm(12)
    assert torch.equal(drawn(order), whole[order])
    assert torch.equal(torch.cat([drawn(part) for part in ALL.split(5)]), whole)
    assert not torch.equal(drawn(ALL, epoch=2), whole)
    assert not torch.equal(drawn(ALL, seed=4), whole)
    before = torch.get_rng_state()
    drawn(ALL)
    assert torch.equal(torch.get_rng_state(), before)


def test_flips_are_pictures_or_their_mirror_images_and_none_changes_nothing():
    assert torch.equal(augmented(SPLIT, ALL, "none", 16, 0, 1), PIXELS)
    mirrored = 0
    for epoch in range(50):
        for found, picture in zip(augmented(SPLIT, ALL, "flip", 16, 0, epoch), PIXELS, strict=True):
            same, turned = torch.equal(found, picture), torch.equal(found, picture.flip(2))
            assert same or turned
            mirrored += turned
    assert 230 < mirrored < 370  # of 600; 300 ± 12 by chance


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 999))
def test_a_crop_lies_inside_and_has_an_area_and_an_aspect_of_the_stated_ranges(height, width, seed):
    top, left, high, wide = box(height, width, np.random.default_rng(seed))
    assert 0 <= top <= top + high <= height
    assert 0 <= left <= left + wide <= width
    assert min(high, wide) > 0
    if min(height, width) > 200:
        assert AREA[0] * 0.9 < high * wide / height / width <= AREA[1]
        assert ASPECT[0] * 0.95 < wide / high < ASPECT[1] * 1.05


def test_crops_are_resized_to_the_side_that_is_asked():
    flat = Labelled(torch.full((2, 3, 9, 40), 0.25), torch.arange(2), ("a", "b"), ("a", "b"))
    torch.testing.assert_close(augmented(flat, torch.arange(2), "crop", 7, 0, 0), torch.full((2, 3, 7, 7), 0.25))


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_batches_come_in_order_whoever_makes_them(threads):
    assert list(ahead(range(40), lambda item: item * item, threads)) == [i * i for i in range(40)]
    examples = loaded(SPLIT.labels, lambda i, e: augmented(SPLIT, i, "crop", 8, 0, e), torch.device("cpu"), threads)
    found = torch.cat(list(examples.batches(ALL.split(5), 4)))
    assert torch.equal(found, augmented(SPLIT, ALL, "crop", 8, 0, 4))


def test_a_failure_comes_when_its_turn_comes_and_no_thread_is_left():
    def make(item):
        if item == 5:
            raise ValueError("broken")
        return item

    got = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(iter_into(got, ahead(range(40), make, 2)))
    assert got == [0, 1, 2, 3, 4]
    started = ahead(range(40), make, 2)
    next(started)
    started.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


def iter_into(got, items):
    for item in items:
        got.append(item)
    return []


def test_the_training_pictures_of_a_run_are_augmented_and_the_number_of_workers_changes_nothing(config, tmp_path):
    from tests.data.test_folder import draw

    for number in range(60):
        draw(tmp_path / ("val" if number % 3 == 0 else "train") / "xy"[number % 2] / f"{number}.png", number, (20, 24))
    common = ("experiment=shift", "device=cpu", "data=labelled_folder", f"data.root={tmp_path}", "data.validation=10")
    sizes = ("data.side=16", "data.resize=18", "experiment.draws=1", "optim.epochs=1", "optim.batch=8")

    def history(*overrides):
        return compute.run(config(*common, *sizes, *overrides)).history

    plain, crop = history(), history("data.augment=crop")
    assert plain != crop
    assert history("data.augment=crop", "data.workers=2") == crop
