"""Red-Green to the pixel: the authors' first rows, the boxes' places, and which splits share images."""

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equivariance.experiments.red_green.images import SIDE, boxes, deal, labels, paint

# Science 5.1: class, x1, y1, x2, y2 of the authors' generator.
GOLDEN = [
    *[(0, 8, 8, 25, 3), (1, 7, 19, 12, 22), (0, 0, 10, 13, 8), (1, 3, 25, 25, 22)],
    *[(0, 3, 3, 13, 4), (1, 4, 23, 16, 24), (0, 8, 7, 25, 9), (1, 4, 26, 16, 23)],
]


def data(splits, train=2000, validation=1000, test=1000, seed=1988):
    return SimpleNamespace(splits=splits, train=train, validation=validation, test=test, seed=seed)


@pytest.fixture(scope="module")
def authors():
    return list(islice(boxes(1988), 2000))


def test_the_first_rows_are_the_authors(authors):
    assert authors[:8] == GOLDEN


def test_as_many_images_repeat_as_in_the_authors_data(authors):
    assert len(set(authors)) == 1911


def test_another_seed_gives_other_images(authors):
    assert list(islice(boxes(1989), 8)) != authors[:8]


def test_the_global_generator_is_left_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    list(islice(boxes(1988), 50))
    assert (np.random.get_state()[1] == before).all()


def test_boxes_lie_where_the_paper_has_them(authors):
    label, x1, y1, x2, y2 = np.array(authors).T
    assert (label == np.arange(2000) % 2).all()
    assert set(x1) == set(range(10))
    assert (x2 - x1 >= 5).all()
    assert x2.max() == 27
    for k, rows in ((0, range(3, 11)), (1, range(19, 27))):
        assert set(y1[label == k]) == set(y2[label == k]) == set(rows)


def test_red_is_left_in_class_0_and_right_in_class_1():
    pixels = paint(GOLDEN[:2])
    assert pixels.shape == (2, 3, SIDE, SIDE)
    assert pixels.sum((2, 3)).tolist() == [[16, 16, 0], [16, 16, 0]]
    assert pixels[0, 0, 8:12, 8:12].sum() == pixels[0, 1, 3:7, 25:29].sum() == 16
    assert pixels[1, 1, 19:23, 7:11].sum() == pixels[1, 0, 22:26, 12:16].sum() == 16
    assert labels(GOLDEN[:2]).tolist() == [0, 1]


@pytest.mark.parametrize("shift", [1, 7, 16])
def test_a_shift_moves_class_0_down_and_class_1_up_as_exact_copies(authors, shift):
    still, moved = paint(authors[:200]), paint(authors[:200], shift)
    assert torch.equal(moved[::2], still[::2].roll(shift, 2))
    assert torch.equal(moved[1::2], still[1::2].roll(-shift, 2))


def test_at_16_the_heights_are_swapped(authors):
    rows = paint(authors, 16).sum((1, 3)).ne(0)
    assert rows[::2, :19].sum() == rows[1::2, 14:].sum() == 0


def test_shared_splits_are_the_first_training_images(authors):
    found = deal(data("shared"))
    assert found["train"] == authors
    assert found["validation"] == found["test"] == authors[:1000]


def test_disjoint_splits_have_no_image_in_common_and_balanced_classes():
    found = deal(data("disjoint"))
    train, validation, test = (set(found[s]) for s in ("train", "validation", "test"))
    assert not train & validation
    assert not (train | validation) & test
    for images in found.values():
        assert [i[0] for i in images] == [n % 2 for n in range(len(images))]
    assert [len(images) for images in found.values()] == [2000, 1000, 1000]


def test_fresh_seeds_alone_would_not_be_disjoint():
    """So the test above can fail."""
    train, test = (set(islice(boxes(seed), n)) for seed, n in ((1988, 2000), (1990, 1000)))
    assert train & test
