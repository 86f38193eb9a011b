"""Where images and outputs lie: arrays in memory and on disk, in chunks, of every type that files have."""

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles import tiled

from .networks import C

torch.manual_seed(0)
NET = nn.Sequential(nn.Conv2d(C, C, 3, 2, 1), nn.GroupNorm(1, C), nn.Tanh(), nn.ConvTranspose2d(C, 2, 2, 2)).double()
IMAGE = np.random.default_rng(0).standard_normal((C, 50, 38))


@torch.no_grad()
def whole(net, image):
    return net(torch.from_numpy(image)[None])[0].numpy()


@pytest.fixture
def chunked(tmp_path):
    """Makes an array on disk whose chunks are no tiles."""
    return lambda name, shape: zarr.create_array(tmp_path / name, shape=shape, chunks=(2, 7, 9), dtype="f8")


def test_chunked_arrays_are_read_and_written_and_a_killed_run_goes_on(chunked, tmp_path):
    image, out = chunked("image.zarr", IMAGE.shape), chunked("out.zarr", (2, 50, 38))
    image[:] = IMAGE
    record = tmp_path / "record"

    def killed(part):
        if out[:].any():  # once a tile is written
            raise KeyboardInterrupt
        return part

    with pytest.raises(KeyboardInterrupt):
        tiled(NET, image, 16, out=out, record=record, prepare=killed)
    begun = zarr.open_array(tmp_path / "out.zarr")[:]
    assert 0 < (begun != 0).mean() < 1
    assert tiled(NET, image, 16, out=out, record=record) is out
    assert np.abs(zarr.open_array(tmp_path / "out.zarr")[:] - whole(NET, IMAGE)).max() < 1e-12


def test_what_prepares_parts_in_place_leaves_the_image_alone():
    image = torch.from_numpy(IMAGE).clone()
    found = tiled(NET, image, 16, prepare=lambda part: part.mul_(2))
    assert torch.equal(image, torch.from_numpy(IMAGE))
    assert np.abs(found - whole(NET, 2 * IMAGE)).max() < 1e-12


def test_images_as_they_are_stored():
    net = nn.Conv2d(1, 2, 3, padding=1)
    image = np.random.default_rng(0).integers(0, 255, (21, 20), dtype=np.uint8)
    prepare = lambda part: part[None] / 255 if part.dim() == 2 else part / 255  # noqa: E731
    for kind in (">f4", ">u2"):  # as TIFF files have them
        stored = image[None].astype(kind)
        assert np.allclose(tiled(net, stored, 8, prepare=prepare), tiled(net, image[None], 8, prepare=prepare))
    with pytest.raises(UserError, match="uint8, the model takes float32; allowed: prepare"):
        tiled(net, image[None], 8)
    wanted = whole(net, image[None].astype(np.float32) / 255)
    assert np.allclose(tiled(net, image[None], 8, prepare=prepare), wanted, atol=1e-6)
    assert np.allclose(tiled(net, torch.from_numpy(image[None]) / 255, 8, out=np.empty((2, 21, 20))), wanted, atol=1e-6)
