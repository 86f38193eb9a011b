"""Tiled runs that were killed go on where they stopped, and never take for finished what is not there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from equivariance.errors import UserError
from equivariance.tiles import tiled

from .networks import C

torch.manual_seed(0)
NORMS = nn.Sequential(nn.Conv2d(C, C, 3, padding=1), nn.GroupNorm(3, C), nn.ReLU(), nn.InstanceNorm2d(C)).double()
IMAGE = np.random.default_rng(0).standard_normal((C, 40, 9))
WHOLE = NORMS(torch.from_numpy(IMAGE)[None])[0].detach().numpy()


class Counted:
    """An array that takes slices, counts reads, and fails after some."""

    def __init__(self, array, limit=10**9):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.reads, self.limit = 0, limit

    def __getitem__(self, key):
        self.reads += 1
        if self.reads > self.limit:
            raise KeyboardInterrupt
        return self.array[key]


@pytest.mark.parametrize("limit", [6, 11, 15, 18])
def test_a_killed_run_goes_on_where_it_stopped(limit, tmp_path, monkeypatch):
    monkeypatch.setattr("equivariance.tiles.passes.EVERY", 0.0)
    path, rest, full = tmp_path / "out.npy", Counted(IMAGE), Counted(IMAGE)
    with pytest.raises(KeyboardInterrupt):
        tiled(NORMS, Counted(IMAGE, limit), 10, out=path)
    found = tiled(NORMS, rest, 10, out=path)
    assert np.array_equal(tiled(NORMS, full, 10), found)
    assert np.abs(found - WHOLE).max() < 1e-12
    assert rest.reads < full.reads


@pytest.mark.parametrize("kept", ["out.npy", "out.npy.tiles", None])
def test_what_was_removed_is_computed_again(kept, tmp_path):
    path = tmp_path / "out.npy"
    tiled(NORMS, IMAGE, 10, out=path)
    for file in tmp_path.iterdir():
        if file.name != kept:
            file.unlink()
    if kept == "out.npy":
        with pytest.raises(UserError, match="without a record of its tiles"):
            tiled(NORMS, IMAGE, 10, out=path)
    else:
        assert np.abs(tiled(NORMS, IMAGE, 10, out=path) - WHOLE).max() < 1e-12
        assert np.abs(tiled(NORMS, IMAGE, 10, out=path) - WHOLE).max() < 1e-12


def test_an_array_in_memory_holds_nothing_of_a_run_before(tmp_path):
    for _ in range(2):
        assert np.abs(tiled(NORMS, IMAGE, 10, record=tmp_path / "record") - WHOLE).max() < 1e-12


def test_another_run_is_refused(tmp_path):
    path, other = tmp_path / "out.npy", IMAGE.copy()
    tiled(NORMS, IMAGE, 10, out=path)
    other[:, 20, 4] += 1
    weights = nn.Sequential(nn.Conv2d(C, C, 3, padding=1), *NORMS[1:]).double()
    structure = nn.Sequential(*NORMS[:2], nn.Tanh(), NORMS[3])  # of the same weights
    for net, image, tile, differs in (
        (NORMS, IMAGE, 12, "tile"),
        (NORMS, other, 10, "image"),
        (weights, IMAGE, 10, "weights"),
        (structure, IMAGE, 10, "network"),
    ):
        with pytest.raises(UserError, match=f"another run, which differs in {differs}; remove it first"):
            tiled(net, image, tile, out=path)
    assert np.abs(np.load(path) - WHOLE).max() < 1e-12


@pytest.mark.crash
@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_a_run_killed_at_any_moment_gives_the_same_file(seconds, tmp_path):
    np.save(tmp_path / "image.npy", np.tile(IMAGE, (1, 20, 40)))
    program = (
        "import sys, time, numpy as np, torch\n"
        "from tests.tiles.test_resuming import NORMS, tiled\n"
        "torch.manual_seed(0); [p.data.normal_() for p in NORMS.parameters()]\n"
        "image = np.load('image.npy', mmap_mode='r')\n"
        "print('ready', flush=True)\n"
        "tiled(NORMS, image, 40, out=sys.argv[1], prepare=lambda part: time.sleep(0.003) or part)\n"
    )

    def start(name):
        command = [sys.executable, "-c", program, name]
        path = f"{Path(__file__).parents[2]}"
        return subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE)

    assert start("wanted.npy").wait() == 0
    kills = 0
    for _ in range(100):
        run = start("out.npy")
        run.stdout.readline()
        try:
            run.wait(seconds + 0.2 * kills)
            break
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            kills += 1
    assert run.returncode == 0
    assert kills
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "wanted.npy").read_bytes()
