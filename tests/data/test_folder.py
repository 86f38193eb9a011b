"""Folders of pictures: order, bad files, too few, duplicates, what a fingerprint notices."""

import hashlib
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from equivariance.config.data import Pictures
from equivariance.data import SPLITS, folder, load_pictures
from equivariance.data.folder import files
from equivariance.data.splits import Picture, deal
from equivariance.errors import UserError

SIDE = 16


def draw(path, seed, size=(20, 30), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode).save(path)
    return path


@pytest.fixture
def tree(tmp_path):
    """Three classes of 3, 1 and 2 pictures."""
    for number, name in enumerate(["b/2.png", "a/1.png", "b/1.jpg", "c/9.bmp", "b/3.JPEG", "a/2.png"]):
        draw(tmp_path / "pictures" / name, number)
    (tmp_path / "pictures" / "a" / "notes.txt").write_text("no picture")
    return tmp_path / "pictures"


def read(tree, side=SIDE, crop=1.0, resize="antialias"):
    skipped = []
    choices = {"crop": crop, "resize": resize, "splits": "disjoint", "augment": "none", "seed": 0}
    data = Pictures(name="folder", root=str(tree), pictures=1, **choices)
    return list(folder.pictures(data, side, skipped)), skipped


def digests(files):
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.fixture
def load(config):
    """Loads the pictures of a folder as a run does."""

    def loaded(root, pictures, *overrides):
        c = config("data=folder", f"data.root={root}", f"data.pictures={pictures}", *overrides)
        return load_pictures(c.data, SIDE)

    return loaded


def test_classes_take_turns_in_sorted_order(tree):
    order = ["a/1.png", "b/1.jpg", "c/9.bmp", "a/2.png", "b/2.png", "b/3.JPEG"]
    assert [p.source for p in read(tree)[0]] == order


def test_a_folder_without_classes_is_one_class(tmp_path):
    for name in ("2.png", "1.png"):
        draw(tmp_path / name, int(name[0]))
    assert [p.source for p in read(tmp_path)[0]] == ["1.png", "2.png"]


def test_pictures_are_dealt_to_the_splits_in_turn(tree, load):
    splits = load(tree, 2)
    assert [p.source for p in splits.pictures["train"]] == ["a/1.png", "b/3.JPEG"]
    assert [p.source for p in splits.pictures["validation"]] == ["b/1.jpg", "a/2.png"]
    assert [p.source for p in splits.pictures["test"]] == ["c/9.bmp", "b/2.png"]


def test_no_class_falls_to_one_split_alone():
    classes = "abc"
    pictures = (Picture(np.full((2, 2, 3), n, np.uint8), classes[n % 3], n % 3 + n // 3) for n in range(18))
    splits = deal(pictures, 6, [])
    assert all(sorted(p.source for p in splits.pictures[split]) == list("aabbcc") for split in SPLITS)


@pytest.mark.parametrize("classes", [3, 9, 18, 1000])
def test_each_split_gets_one_picture_of_each_class(classes):
    def pictures():
        for turn in range(3):
            for number in range(classes):
                pixels = np.array([[[number % 256, number // 256, turn]]], np.uint8)
                yield Picture(pixels, f"{number}/{turn}", number + turn)

    dealt = deal(pictures(), classes, []).pictures
    for split in dealt.values():
        assert len({picture.source.split("/")[0] for picture in split}) == len(split) == classes


def test_what_is_no_file_and_hidden_folders_are_no_pictures(tree):
    (tree / ".git").mkdir()
    draw(tree / ".git" / "0.png", 99)
    first = next(folder for folder in sorted(tree.iterdir()) if folder.name != ".git")
    before = list(files(tree))
    (first / "folder.png").mkdir()
    (first / "nowhere.png").symlink_to("nothing")
    os.mkfifo(first / "pipe.png")
    assert list(files(tree)) == before


def test_folders_without_pictures_are_no_classes(tmp_path):
    """As an unpacked archive has it: the rest of macOS, an empty folder, notes, what is hidden."""
    for name in ("1.png", "2.png"):
        draw(tmp_path / name, int(name[0]))
    for name in ("__MACOSX", "empty", "deep/er", "notes", ".hidden", "@eaDir/1.png"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "__MACOSX" / "._1.png").write_bytes(b"a resource fork")
    (tmp_path / "notes" / "a.txt").write_text("no picture")
    for name in ("__MACOSX/3.png", ".hidden/3.png", "@eaDir/1.png/3.png", "._1.png", "deep/.hidden/3.png"):
        draw(tmp_path / name, 3)
    found, skipped = read(tmp_path)
    assert [p.source for p in found] == ["1.png", "2.png"]
    assert skipped == []


def test_system_folders_within_a_class_do_not_count(tree):
    before = list(files(tree))
    for name in ("a/@eaDir/1.png/thumb.jpg", "b/__MACOSX/1.png", "a/._1.png"):
        draw(tree / name, 9)
    assert list(files(tree)) == before


def test_pictures_beside_classes_are_refused_and_named(tree):
    for number in range(5):
        draw(tree / f"{number}.png", 10 + number)
    said = r"beside the sub-folders \(0.png, 1.png, 2.png and 2 more\) and in them \(a, b, c\); allowed: one of both$"
    with pytest.raises(UserError, match=said):
        files(tree)


def test_a_single_small_folder_does_not_hide_the_pictures_beside_it(tmp_path):
    for number in range(24):
        draw(tmp_path / f"{number}.png", number)
    draw(tmp_path / "thumbs" / "0.png", 0, size=(2, 3))
    with pytest.raises(UserError, match=r"21 more\) and in them \(thumbs\)"):
        files(tmp_path)


def test_a_class_that_cannot_be_read_is_no_empty_one(tree, monkeypatch):
    walk = os.walk

    def denied(top, onerror=None, **rest):
        if top.name == "b":
            onerror(PermissionError(13, "Permission denied", str(top)))
        return walk(top, onerror=onerror, **rest)

    monkeypatch.setattr(os, "walk", denied)
    with pytest.raises(UserError, match=r"cannot be read .*Permission denied"):
        files(tree)


ODD = [b"caf\xe9", b"\xff\xfe", b"new\nline", b"\x1b[31mred", "Ω ж".encode(), b"-rf", b"a\\b"]


def test_names_are_bytes(tmp_path, load):
    root = tmp_path / "pictures"
    for number, name in enumerate(ODD):
        draw(root / os.fsdecode(name) / os.fsdecode(name + b".png"), number)
    broken = root / os.fsdecode(ODD[0]) / os.fsdecode(b"\xe9.png")
    broken.write_bytes(b"no picture")
    assert [os.fsencode(file.parent.name) for file in files(root)][: len(ODD)] == sorted(ODD)
    splits = load(root, 2)
    sources = [p.source for split in SPLITS for p in splits.pictures[split]]
    assert all(source.isprintable() and source.encode() for source in [*sources, *load(root, 2).skipped])
    assert any("caf\\xe9" in source for source in sources)
    before = folder.fingerprint(root, 3, digests)
    broken.rename(broken.with_name(os.fsdecode(b"\xe8.png")))
    assert folder.fingerprint(root, 3, digests) != before


def test_a_file_that_the_system_cannot_read_now_ends_the_run_instead_of_being_skipped(tree, monkeypatch):
    def failing(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", failing)
    with pytest.raises(OSError, match="Input/output"):
        read(tree)


def test_corrupt_and_truncated_pictures_are_skipped_counted_and_named(tree, load):
    (tree / "a" / "1.png").write_bytes(b"no picture at all")
    whole = (tree / "b" / "1.jpg").read_bytes()
    (tree / "b" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (tree / "c" / "9.bmp").write_bytes(b"")
    splits = load(tree, 1)
    assert [line.partition(":")[0] for line in splits.skipped] == ["a/1.png", "b/1.jpg", "c/9.bmp"]
    assert all(line.partition(": ")[2] for line in splits.skipped)
    assert {splits.pictures[s][0].source for s in SPLITS} == {"a/2.png", "b/2.png", "b/3.JPEG"}


def test_too_few_pictures_say_how_many_there_are(tree, load):
    (tree / "a" / "1.png").write_bytes(b"no picture at all")
    with pytest.raises(UserError, match=r"data.pictures=2: .*need 6 pictures.* has 5; 1 skipped; allowed: up to 1"):
        load(tree, 2)


def test_one_picture_in_two_splits_is_an_error_that_names_both(tree, load):
    shutil.copy(tree / "a" / "1.png", tree / "c" / "0.png")
    with pytest.raises(UserError, match=r"train \(a/1.png\) and test \(c/0.png\)"):
        load(tree, 2)


def test_a_duplicate_within_a_split_is_no_leak():
    same = np.zeros((2, 2, 3), np.uint8)
    others = iter(np.full((2, 2, 3), n, np.uint8) for n in range(1, 9))
    pictures = [Picture(same if n in (0, 5) else next(others), str(n)) for n in range(6)]
    splits = deal(iter(pictures), 2, [])
    assert [p.source for p in splits.pictures["train"]] == ["0", "5"]


def test_no_more_pictures_are_read_than_needed():
    read = []

    def pictures():
        for n in range(99):
            read.append(n)
            yield Picture(np.full((2, 2, 3), n, np.uint8), str(n))

    deal(pictures(), 3, [])
    assert len(read) == 9


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_a_missing_or_empty_folder_is_named(tmp_path, load, made):
    root = tmp_path / "nowhere"
    if made:
        (root / "a").mkdir(parents=True)
    with pytest.raises(UserError, match=rf"^data.root={root}: no [^\n]+$"):
        load(root, 1)


def test_the_centre_of_the_picture_is_kept(tmp_path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[5:15, 15:25] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png")
    ((half,), _) = read(tmp_path, side=10, crop=0.5)
    assert (half.pixels == 200).all()
    ((whole,), _) = read(tmp_path, side=20, crop=1.0)
    assert np.array_equal(whole.pixels, pixels[:, 10:30])


def test_released_resizing_does_not_smooth(tmp_path):
    """Bilinear by four reads two of four pixels a side: what lies between them is not seen."""
    pixels = np.zeros((224, 224, 3), np.uint8)
    pixels[0::4] = pixels[3::4] = 255  # not sampled: centres are at 1.5, 5.5, …
    Image.fromarray(pixels).save(tmp_path / "x.png")
    ((released,), _) = read(tmp_path, side=56, resize="released")
    ((smooth,), _) = read(tmp_path, side=56, resize="antialias")
    assert released.pixels.max() == 0
    assert smooth.pixels.min() > 40


def test_a_fingerprint_follows_the_contents_and_not_the_place(tree, tmp_path):
    before = folder.fingerprint(tree, 3, digests)
    shutil.copytree(tree, tmp_path / "elsewhere")
    assert folder.fingerprint(tmp_path / "elsewhere", 3, digests) == before
    draw(tmp_path / "elsewhere" / "c" / "8.png", 9)
    assert folder.fingerprint(tmp_path / "elsewhere", 3, digests) != before


def test_splits_normalise_by_channel(tree, load):
    splits = load(tree, 2)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 0.125]
    found = splits.tensor("validation", mean, std)
    assert found.shape == (2, 3, SIDE, SIDE)
    assert found.dtype == torch.float32
    for n, picture in enumerate(splits.pictures["validation"]):
        expected = (picture.pixels / 255 - mean) / std
        np.testing.assert_allclose(found[n].permute(1, 2, 0).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_the_released_protocol_shares_the_training_pictures(tree, load):
    splits = load(tree, 2, "protocol=released")
    names = {split: [p.source for p in splits.pictures[split]] for split in SPLITS}
    assert names["train"] == names["validation"] == names["test"] == ["a/1.png", "b/1.jpg"]


def test_real_pictures_beside_the_repository(shared, load):
    root = shared / "data" / "quadrant3k"
    if not root.is_dir():
        pytest.skip("no quadrant3k beside the repository")
    splits = load(root, 20)
    assert splits.skipped == []
    assert len({p.content for split in SPLITS for p in splits.pictures[split]}) == 60
    assert len({p.source.partition("/")[0] for split in SPLITS for p in splits.pictures[split]}) == 60
