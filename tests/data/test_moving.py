"""Videos made of photographs: motion alone tells their class, no photograph is in two splits, places mislead."""

import numpy as np
import pytest
import torch

from equivariance.data.clips import load, moving
from equivariance.data.clips.moving import CLASSES, PHOTOS

TINY = ("experiment=action", "data.train=16", "data.validation=8", "data.test=16")


@pytest.fixture
def films(config):
    return lambda *overrides: load(config(*TINY, *overrides).data)


def paths(config, *overrides, count=800, swapped=False):
    data = config(*TINY, *overrides).data
    labels = torch.arange(count) % len(CLASSES)
    return labels, moving._paths(data, labels, swapped, np.random.default_rng(0))


def test_no_photograph_is_in_two_splits_and_no_frame_either(films):
    names = [name for split in PHOTOS.values() for name in split]
    assert len(set(names)) == len(names)
    found = films()
    frames = {s: {f.numpy().tobytes() for v in found[s].videos.pixels for f in v} for s in PHOTOS}
    assert not frames["train"] & frames["test"]
    assert not frames["validation"] & (frames["train"] | frames["test"])
    assert found["train"].videos.pixels.shape == (16, 8, 3, 16, 16)
    assert found["train"].labels.bincount().tolist() == [2] * 8


def test_each_class_moves_as_its_name_says_and_in_nothing_else(config):
    labels, found = paths(config)
    moved = found[:, -1] - found[:, 0]
    for number, (column, sign) in enumerate([(0, -1), (0, 1), (1, -1), (1, 1), (2, 1), (2, -1), (3, -1), (3, 1)]):
        mine = moved[labels == number]
        assert (mine[:, column] * sign > 0.1).all()
        others = [c for c in range(4) if c != column]
        assert mine[:, others].abs().max() < 1e-4


def test_the_middle_of_a_motion_tells_nothing_of_the_class(config):
    labels, found = paths(config, "data.frames=9", count=8000)
    middle = found[:, 4]
    for number in range(8):
        apart = (middle[labels == number].mean(0) - middle.mean(0)) / middle.std(0)
        assert apart.abs().max() < 0.15


@pytest.mark.parametrize(("event", "still"), [("early", slice(3, None)), ("late", slice(None, 5))])
def test_an_early_patch_moves_in_the_first_half_and_a_late_one_in_the_second(config, event, still):
    _, found = paths(config, f"data.event={event}")
    assert (found[:, still] == found[:, still][:, :1]).all()
    assert (found[:, 0] != found[:, -1]).any(1).all()


def test_an_event_in_blank_time_is_early_in_one_video_and_late_in_the_next(films):
    whole, found = films("data.test=8")["test"], films("data.event=class", "data.border=3")["test"]
    assert found.classes == ("early", "late")
    assert found.labels.tolist() == [0, 1] * 8
    early, late = found.videos.pixels[::2], found.videos.pixels[1::2]
    assert early.shape[1] == 2 * (8 + 3)
    assert torch.equal(early[:, 3:11], late[:, 11:19])
    assert torch.equal(early[:, 3:11], whole.videos.pixels)
    for blank in (early[:, :3], early[:, 11:], late[:, :11], late[:, 19:]):
        assert not blank.any()


def test_biased_places_tell_the_class_in_training_and_lie_in_the_test(config, films):
    for swapped in (False, True):
        labels, found = paths(config, "data.placement=biased", swapped=swapped)
        lower = found[:, :, 1].mean(1) > 8
        assert torch.equal(lower, (labels % 2 == 1) ^ swapped)
    found = films("data.placement=biased")
    assert set(found) == {"train", "validation", "test", "alike"}
    assert not torch.equal(found["test"].videos.pixels, found["alike"].videos.pixels)


def test_centred_paths_have_their_middle_in_the_middle(config):
    _, found = paths(config, "data.placement=centre", "data.frames=9")
    assert torch.equal(found[:, 4, :2], torch.full((800, 2), 8.0))


def test_a_patch_is_drawn_where_its_path_says_and_turned_as_far():
    ground, patch = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 4, 4)
    patch[:, 0], patch[:, 1, :, 2:] = 200, 100  # green in its right half
    path = torch.tensor([[[8.0, 6.0, 4.0, 0.0], [4.0, 8.0, 4.0, torch.pi]]])
    still, turned = moving.rendered(ground, patch, path)[0]
    assert still[0].nonzero().amin(0).tolist() == [4, 6]
    assert still[0].nonzero().amax(0).tolist() == [7, 9]
    assert still[1, 5].tolist()[6:10] == [0, 12, 88, 100]  # between two pixels it is interpolated
    assert turned[1, 8].tolist()[2:6] == [100, 88, 12, 0]
