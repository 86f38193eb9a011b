"""What the paths of a config hold: once read, not again before it changes."""

import time

import numpy as np
import pytest
from PIL import Image

from equivariance import fingerprints as module
from equivariance.fingerprints import fingerprints
from sweeps import digests


@pytest.fixture
def read(monkeypatch):
    """The names of the files that commands read, each in a process of its own: nothing but files is shared."""
    names, file_digest = [], digests.file_digest
    monkeypatch.setattr(digests, "STEP_OF_TIMES", -60.0)  # files count as old enough to be remembered
    monkeypatch.setattr(digests, "file_digest", lambda path: (names.append(path.name), file_digest(path))[1])

    def command(config):
        module._folder.cache_clear()
        module._checkpoint.cache_clear()
        names.clear()
        return fingerprints(config), sorted(names)

    return command


@pytest.fixture
def both(workdir, config):
    """A config with a folder of pictures and a checkpoint."""
    (workdir / "pictures").mkdir()
    for number in range(4):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(workdir / "pictures" / f"{number}.png")
    (workdir / "w.pth").write_bytes(b"weights")
    return config(
        "data=folder", "data.root=pictures", "data.pictures=1", "init=frozen-pretrained", "init.checkpoint=w.pth"
    )


def test_the_same_command_again_reads_no_unchanged_file(both, read):
    first, names = read(both)
    assert names == ["0.png", "1.png", "2.png", "w.pth"]  # three splits of one picture
    assert read(both) == (first, [])


def test_what_changed_is_read_and_counts(both, read, workdir):
    first, _ = read(both)
    time.sleep(0.02)  # the kernel's clock of file times ticks every few milliseconds
    content = (workdir / "pictures" / "1.png").read_bytes()
    (workdir / "pictures" / "1.png").write_bytes(content[:-1] + b"!")
    (workdir / "w.pth").write_bytes(b"WEIGHTS")
    second, names = read(both)
    assert names == ["1.png", "w.pth"]
    assert all(first[key] != second[key] for key in ("data.root", "init.checkpoint"))


def test_the_runs_of_a_sweep_see_one_state(both, read, workdir):
    first, _ = read(both)
    (workdir / "w.pth").write_bytes(b"other weights")
    assert fingerprints(both.model_copy(update={"seed": 1})) == first


def test_a_moved_folder_is_the_same(both, read, workdir, config):
    (workdir / "pictures").rename(workdir / "moved")
    moved = config(
        "data=folder", "data.root=moved", "data.pictures=1", "init=frozen-pretrained", "init.checkpoint=w.pth"
    )
    found, _ = read(moved)
    (workdir / "moved").rename(workdir / "pictures")
    assert read(both)[0] == found
