"""The rook's two images: equal crops in opposite corners."""

import pytest
import torch

from equivariance.experiments.impulse import images as impulse
from equivariance.experiments.rook.images import drawing, images


def test_the_drawing_has_the_size_and_the_soft_edges_of_the_published_one():
    rook = drawing()
    assert rook.shape == (16, 13)
    assert len(rook.unique()) > 60
    assert rook.min() == 0
    assert rook.max() < 1


def test_the_drawing_touches_all_four_edges():
    rook = drawing()
    assert all(edge.max() > 0 for edge in (rook[0], rook[-1], rook[:, 0], rook[:, -1]))


@pytest.mark.parametrize("side", [32, 40])
def test_both_images_hold_the_same_rook_in_opposite_corners(side):
    found = images(side)
    assert found.shape == (2, 1, side, side)
    assert torch.equal(found[0, 0, :16, :13], drawing())
    assert torch.equal(found[1, 0, -16:, -13:], drawing())
    assert found[0].sum() == pytest.approx(found[1].sum()) == pytest.approx(drawing().sum())


def test_on_32_pixels_they_are_16_rows_and_19_columns_apart():
    found = images(32)
    assert torch.equal(found[0].roll((16, 19), (1, 2)), found[1])


def test_impulses_are_one_pixel_in_opposite_corners():
    found = impulse.images(5)
    assert found.nonzero().tolist() == [[0, 0, 0, 0], [1, 0, 4, 4]]
    assert found.sum() == 2
