"""Quadrant images to the pixel: where the picture lies, what everything else is."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equivariance.data.quadrant import Quadrant, normalised


def dense(images):
    """An ordinary tensor, also of images that stand for one."""
    return images.dense() if hasattr(images, "dense") else images


@given(
    picture=st.integers(1, 6),
    room=st.integers(0, 7),
    border=st.integers(0, 5),
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=5),
    background=st.tuples(*[st.floats(-3, 3, width=32)] * 3),
)
def test_every_pixel_is_picture_or_background(picture, room, border, labels, background):
    canvas, n = 2 * picture + room, len(labels)
    pictures = torch.arange(1.0, 1 + n * 3 * picture**2).reshape(n, 3, picture, picture) + 10
    task = Quadrant(picture, canvas, border, background)
    found = dense(task.images(pictures, torch.tensor(labels))).numpy()
    side = canvas + 2 * border
    assert task.side == side
    expected = np.empty((n, 3, side, side), np.float32)
    expected[:] = np.array(background, np.float32)[None, :, None, None]
    for i, label in enumerate(labels):
        at = border if label == 0 else side - border - picture
        expected[i, :, at : at + picture, at : at + picture] = pictures[i].numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("border", [0, 16, 512])
def test_the_published_geometry_has_a_shift_of_64(border):
    task = Quadrant(56, 120, border, (0.0, 0.0, 0.0))
    assert (task.corner(0), task.corner(1), task.side) == (border, border + 64, 120 + 2 * border)


def test_mean_is_zero_and_black_is_what_normalising_makes_of_it():
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    assert normalised("mean", mean, std) == (0, 0, 0)
    assert normalised("black", mean, std) == pytest.approx([(0 - m) / s for m, s in zip(mean, std, strict=True)])
