"""Patches of wheel, file and published folders: regions apart, points that correspond, bad input in a line."""

import shutil
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from equivariance.errors import UserError
from equivariance.experiments.patch_matching import hpatches, phototour, views
from equivariance.experiments.patch_matching.sets import disjoint, load
from equivariance.fingerprints import fingerprints

PHOTOTOUR = ("experiment=patch_matching", "device=cpu", "data=phototour")


@pytest.fixture(scope="module")
def both():
    return views.views("train", 0), views.views("test", 0)


def test_views_are_many_and_no_patch_is_trained_and_tested_on(both):
    train, test = both
    disjoint(train, test)
    assert len(np.unique(train.points)) > 1500
    assert len(np.unique(test.points)) > 800
    assert set(np.bincount(train.points)) == {2, 6}
    assert not set(views.PHOTOS["train"]) & set(views.PHOTOS["test"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_no_pixel_of_the_stereo_pair_is_in_both_splits(monkeypatch, split):
    """Blotting out the other split's rows changes nothing."""
    grey, height = views._grey, views._grey("motorcycle_left.png").shape[0]
    before = views._stereo(split, np.random.default_rng(0)).pixels
    top, bottom = (round(share * height) for share in views.ROWS[split])

    def blotted(name):
        image = grey(name).copy()
        image[:top], image[bottom:] = 0, 255
        return image

    monkeypatch.setattr(views, "_grey", blotted)
    assert np.array_equal(before, views._stereo(split, np.random.default_rng(0)).pixels)
    assert len(before) > 200


def test_the_two_cameras_see_one_thing_and_views_of_a_photograph_too(both):
    """Patches of one point are more alike than those of two, by plain correlation and most of the time."""
    for patches, views_each in ((both[0], 2), (both[1], 6)):
        first = np.flatnonzero(np.bincount(patches.points)[patches.points] == views_each)[::views_each][:200]
        flat = patches.pixels.reshape(len(patches.pixels), -1).astype(float)
        flat = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
        own = (flat[first] * flat[first + 1]).mean(1)
        others = (flat[first] * flat[np.roll(first + 1, 7)]).mean(1)
        assert (own > others).mean() > 0.9


def test_a_homography_puts_each_pixel_where_it_says():
    """An image that is its own coordinates, seen under a homography, shows the mapped coordinates."""
    y, x = np.mgrid[:200, :240].astype(np.float32)
    homography = np.array([[0.8, -0.3, 1.5], [0.2, 0.9, -2.0], [0.001, -0.002, 1.0]])
    seen = [views.sampled(image, np.array([[120, 100]]), homography[None])[0] for image in (x, y)]
    along = np.arange(64) - 31.5
    v, u = np.meshgrid(along, along, indexing="ij")
    mapped = homography @ np.stack([u.ravel(), v.ravel(), np.ones(4096)])
    for found, axis, middle in zip(seen, mapped[:2] / mapped[2], (120, 100), strict=True):
        expected = (axis + middle).reshape(32, 2, 32, 2).mean((1, 3))
        assert np.abs(found - expected).max() < 1e-2


def test_what_a_nearer_thing_hides_is_not_seen_by_both():
    """By hand: a bar of disparity 3 over columns 6 and 7 lands on 3 and 4, as do columns 4 and 5 of disparity 1."""
    disparity = np.full((1, 10), 1.0)
    disparity[0, 6:8] = 3.0
    disparity[0, 9] = np.inf
    seen = views.seen_by_both(disparity)[0]
    # Disparity 1 beside 3 differs by more than a pixel; column 0 lands outside.
    assert seen.tolist() == [False, True, True, True, False, False, True, True, True, False]


def test_a_wheel_without_its_pictures_is_said(monkeypatch, tmp_path):
    import skimage

    monkeypatch.setattr(skimage, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(UserError, match=r"^data: scikit-image is installed without motorcycle_left\.png; pip install"):
        views._stereo("train", np.random.default_rng(0))


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 3, 64, 64), dtype=np.uint8)
    names = np.array(["a", "b", "c"]).repeat(10)
    return save(tmp_path / "views.npz", patches=pixels, sequence=names, xy=np.zeros((30, 2)))


def test_a_file_of_views_is_split_by_sequence(file, config):
    found = hpatches.sequences(file)
    train, test = hpatches.split(found, None)
    assert (len(train.points), len(test.points)) == (60, 30)
    assert np.array_equal(test.pixels, found["b"].pixels)
    assert np.array_equal(hpatches.split(found, ["c", "a"])[0].pixels, found["b"].pixels)
    for tested in (["d"], ["a", "b", "c"], []):
        with pytest.raises(UserError, match=r"^data\.tested=.*: allowed: some, not all, of a, b, c$"):
            hpatches.split(found, tested)
    run = config("experiment=patch_matching", "data=hpatches", f"data.root={file}", "data.pairs=20")
    assert list(load(run.data).tests) == ["hpatches"]
    assert len(load(run.data).tests["hpatches"].pairs) == 20


def test_two_sequences_with_one_patch_are_refused(tmp_path, config):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 2, 64, 64), dtype=np.uint8).repeat(2, 0)
    path = save(tmp_path / "twice.npz", patches=pixels, sequence=np.array(["a", "b"] * 10))
    run = config("experiment=patch_matching", "data=hpatches", f"data.root={path}", "data.pairs=20")
    with pytest.raises(UserError, match=r"^data: 20 patches are both trained and tested on"):
        load(run.data)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"xy": np.zeros(3)}, "has no array patches or sequence$"),
        ({"patches": np.zeros((2, 2, 64, 64), np.uint8)}, "has no array sequence$"),
        ({"patches": np.zeros((2, 2, 64, 64)), "sequence": np.array(["a", "b"])}, "patches float64 .*allowed: uint8"),
        ({"patches": np.zeros((2, 2, 32, 32), np.uint8), "sequence": np.array(["a", "b"])}, "allowed: uint8"),
        ({"patches": np.zeros((2, 2, 64, 64), np.uint8), "sequence": np.array(["a"])}, "allowed: uint8"),
        ({"patches": np.array([object()]), "sequence": np.array(["a"])}, "no .npz of NumPy"),
    ],
)
def test_a_file_of_something_else_is_refused_in_a_line(tmp_path, arrays, message):
    with pytest.raises(UserError, match=rf"^data\.root=.*{message}") as refused:
        hpatches.sequences(save(tmp_path / "other.npz", **arrays))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 torn"])
def test_a_damaged_file_is_refused_in_a_line(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"^data\.root=.*bad\.npz: no \.npz of NumPy"):
        hpatches.sequences(tmp_path / "bad.npz")
    with pytest.raises(UserError, match=r"^data\.root=.*none\.npz: no \.npz of NumPy"):
        hpatches.sequences(tmp_path / "none.npz")


def test_a_file_with_a_damaged_array_is_refused_in_a_line(tmp_path):
    """Whatever is overwritten: all that NumPy and zipfile raise is told."""
    random, path = np.random.default_rng(0), tmp_path / "views.npz"
    pixels = random.integers(0, 4, (30, 2, 64, 64), dtype=np.uint8)
    np.savez_compressed(path, patches=pixels, sequence=np.array(["a", "b"] * 15))
    whole = path.read_bytes()
    refused = []
    for start in random.integers(0, len(whole) - 8, 60):
        path.write_bytes(whole[:start] + random.bytes(8) + whole[start + 8 :])
        with suppress(UserError):  # where it is overwritten in a name of no importance
            refused.append(start)
            hpatches.sequences(path)
            refused.pop()
    assert len(refused) > 30
    path.write_bytes(whole)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("patches", b"no array")
        archive.writestr("sequence", b"none either")
    with pytest.raises(UserError, match=r"^data\.root=.*allowed: uint8"):
        hpatches.sequences(path)
    save(path, patches=pixels, sequence=np.array([b"\xff", b"b"] * 15))
    with pytest.raises(UserError, match="sequence cannot be read as text"):
        hpatches.sequences(path)


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """Three folders as published, of 300 patches: patch k of a set is filled with a grey of its own."""
    root = tmp_path_factory.mktemp("tour")
    for number, name in enumerate(("yosemite", "liberty", "notredame")):
        folder = root / name
        folder.mkdir()
        for sheet in range(2):
            grey = (np.arange(256) + 256 * sheet + 7 * number) % 251
            rows = np.kron(grey.reshape(16, 16), np.ones((64, 64))).astype(np.uint8)
            Image.fromarray(rows).save(folder / f"patches{sheet:04d}.bmp")
        points = np.arange(300) // 3
        (folder / "info.txt").write_text("".join(f"{p} 0\n" for p in points))
        lines = [(3 * k, k, 3 * k + 1, k) for k in range(20)] + [(3 * k, k, 3 * k + 5, k + 1) for k in range(20)]
        (folder / "m50_100000_100000_0.txt").write_text("".join(f"{a} {p} 0 {b} {q} 0 0\n" for a, p, b, q in lines))
    return root


def test_published_folders_are_read_as_they_are_laid_out(tour):
    found = phototour.patches(tour / "liberty")
    assert found.pixels.shape == (300, 32, 32)
    assert found.pixels[:, 0, 0].tolist() == [(k + 7) % 251 for k in range(300)]
    assert (found.pixels == found.pixels[:, :1, :1]).all()
    test = phototour.test(tour / "liberty", None)
    assert len(test.pairs) == 40
    assert (test.points[:, 0] == test.points[:, 1]).tolist() == [True] * 20 + [False] * 20
    assert test.patches.pixels[test.pairs[0], 0, 0].tolist() == [7, 8]
    assert len(phototour.test(tour / "liberty", 10).pairs) == 10


def test_the_sets_that_are_not_trained_on_are_tested_on_and_count_for_the_identity(tour, config, tmp_path):
    run = config(*PHOTOTOUR, f"data.root={tour}", "data.train=liberty", f"runs={tmp_path}")
    sets = load(run.data)
    assert list(sets.tests) == ["yosemite", "notredame"]
    assert int(sets.train.pixels[0, 0, 0]) == 7
    before = fingerprints(run)["data.root"]
    info = tour / "notredame" / "info.txt"
    text = info.read_text()
    info.write_text(text + "\n")
    from equivariance import fingerprints as module

    module._files.cache_clear()
    assert fingerprints(run)["data.root"] != before
    info.write_text(text)


BROKEN = [
    ("info.txt", None, r"has no info\.txt"),
    ("m50_100000_100000_0.txt", None, r"has no m50_100000_100000_0\.txt"),
    ("info.txt", b"", r"info\.txt is empty"),
    ("info.txt", b"\xff\xfe\x00", r"info\.txt cannot be read"),
    ("info.txt", b"0 0\nword 0\n", r"info\.txt cannot be read"),
    ("info.txt", b"0 0\n" * 600, r"info\.txt tells of 600 patches, 2 sheets have fewer"),
    ("info.txt", b"0 0\n" * 300, r"pairs that contradict info\.txt"),
    ("m50_100000_100000_0.txt", b"0 0 0\n", r"m50_100000_100000_0\.txt cannot be read"),
    ("m50_100000_100000_0.txt", b"0 0 0 999 0 0\n", r"pairs that contradict info\.txt"),
    ("info.txt", b"99999999999999999999 0\n", r"info\.txt cannot be read"),
    ("m50_100000_100000_0.txt", b"0 0 0 1 0 0 0\n", r"pairs that match alone"),
    ("m50_100000_100000_0.txt", b"0 0 0 3 1 0 0\n", r"pairs that do not alone"),
    ("patches0001.bmp", b"BM torn", r"patches0001\.bmp cannot be read"),
    ("patches0000.bmp", b"", r"patches0000\.bmp cannot be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_broken_folder_is_refused_in_a_line(tour, name, content, message):
    path = tour / "yosemite" / name
    whole = path.read_bytes()
    try:
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(UserError, match=rf"^data\.root: .*{message}") as refused:
            phototour.test(tour / "yosemite", None)
        assert "\n" not in str(refused.value)
    finally:
        path.write_bytes(whole)


def test_a_set_that_is_trained_and_tested_on_is_refused(tour, tmp_path, config):
    root = tmp_path / "tour"
    shutil.copytree(tour, root)
    shown = np.random.default_rng(0).integers(0, 256, (1024, 1024), dtype=np.uint8)
    for name in ("yosemite", "notredame"):
        Image.fromarray(shown).save(root / name / "patches0000.bmp")
    run = config(*PHOTOTOUR, f"data.root={root}", f"runs={tmp_path}")
    with pytest.raises(UserError, match=r"^data: \d+ patches are both trained and tested on"):
        load(run.data)


def test_other_broken_folders(tour, tmp_path, config):
    with pytest.raises(UserError, match=r"^data\.pairs=100: .* has 40 with matches for half of them$"):
        phototour.test(tour / "yosemite", 100)
    with pytest.raises(UserError, match=r"^data\.root: .*yosemite has no info\.txt; allowed: a folder of PhotoTour"):
        fingerprints(config(*PHOTOTOUR, f"data.root={tmp_path}"))
    with pytest.raises(UserError, match=r"^data\.root=.*none\.npz: no such file$"):
        fingerprints(config("experiment=patch_matching", "data=hpatches", f"data.root={tmp_path}/none.npz"))
    small = tmp_path / "small"
    small.mkdir()
    for name in ("info.txt", "m50_100000_100000_0.txt"):
        (small / name).write_bytes((tour / "yosemite" / name).read_bytes())
    with pytest.raises(UserError, match="has no sheets of patches"):
        phototour.patches(small)
    for sheet in range(2):
        Image.new("L", (64, 64)).save(small / f"patches{sheet:04d}.bmp")
    with pytest.raises(UserError, match=r"patches0000\.bmp has 64×64 pixels; allowed: 1024×1024"):
        phototour.patches(small)
