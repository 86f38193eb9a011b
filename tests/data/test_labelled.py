"""Labelled pictures: splits share none, classes and names are right, and what cannot be used is refused or listed."""

import gzip
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from equivariance.data.labelled import augmented, files, load
from equivariance.data.labelled.idx import FILES
from equivariance.data.photos import PHOTOS
from equivariance.errors import UserError
from equivariance.experiments.data_efficiency.subsets import subset
from equivariance.fingerprints import fingerprints
from tests.data.test_folder import draw

SHIFT = ("experiment=shift", "experiment.canvas=32", "experiment.reach=4", "device=cpu")
FEW = ("data.side=16", "data.resize=20", "data.validation=10", "data.train=null")


@pytest.fixture
def tree(tmp_path):
    """Two classes of 20 pictures to train with and 6 to test with, of several sizes."""
    root = tmp_path / "pictures"
    for number in range(52):
        split, name = "train" if number < 40 else "val", ("cat", "dog")[number % 2]
        draw(root / split / name / f"{number:02}.png", number, (24 + number % 3, 30))
    return root


@pytest.fixture
def section(config):
    """The data section of a run with a folder."""
    return lambda root, *overrides: config(*SHIFT, "data=labelled_folder", f"data.root={root}", *FEW, *overrides).data


def test_a_folder_gives_its_own_trees_and_cuts_validation_from_train(tree, section):
    splits = load(section(tree))
    assert [len(splits[s]) for s in ("train", "validation", "test")] == [30, 10, 12]
    assert not set(splits["train"].names) & set(splits["validation"].names)
    assert all(name.startswith("val/") for name in splits["test"].names)
    for split in splits.values():
        assert split.classes == ("cat", "dog")
        assert [name.split("/")[1] for name in split.names] == [split.classes[label] for label in split.labels]
    assert load(section(tree, "data.seed=1"))["validation"].names != splits["validation"].names


def test_pictures_are_resized_and_cut_as_torchvision_does(tree, section):
    test = load(section(tree))["test"]
    (found,) = test.pixels[torch.tensor([3])]
    image = Image.open(tree / test.names[3])
    wanted = functional.center_crop(functional.resize(image, [20], functional.InterpolationMode.BILINEAR), [16, 16])
    assert torch.equal(found, torch.from_numpy(np.array(wanted)).permute(2, 0, 1) / 255)
    assert torch.equal(test.pixels.whole(3), torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255)


def test_what_cannot_be_read_or_is_in_another_split_is_left_out_and_listed(tree, section):
    (tree / "train/cat/00.png").write_bytes(b"no picture")
    whole = (tree / "train/dog/01.png").read_bytes()
    (tree / "train/dog/01.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(tree / "val/dog/41.png", tree / "train/cat/again.png")
    splits = load(section(tree))
    lines = sorted(line for split in splits.values() for line in split.skipped)
    assert len(lines) == 3
    assert lines[0].startswith("train/cat/00.png: no picture of a kind")
    assert lines[1] == "train/cat/again.png: the same picture as val/dog/41.png, which is in test"
    assert lines[2].startswith("train/dog/01.png: ")
    assert len(splits["train"]) == 28


def test_of_few_pictures_no_more_files_are_read_than_are_wanted(tree, section, monkeypatch):
    read = []
    monkeypatch.setattr(files, "read", lambda file, before=files.read: (read.append(file.name), before(file))[1])
    every, some = load(section(tree)), load(section(tree), look=False)
    assert every["train"].names == some["train"].names
    read.clear()
    few, more = subset(some["train"], 2, 3), subset(some["train"], 6, 3)
    assert len(read) == 4 + 12
    assert set(few.tolist()) < set(more.tolist())
    assert torch.equal(few, subset(every["train"], 2, 3))


def test_a_picture_has_its_turn_whether_or_not_others_were_looked_at(tree, section):
    for name in ("cat/02", "dog/07", "cat/18"):
        (tree / f"train/{name}.png").write_bytes(b"no picture")
    every, some = load(section(tree))["train"], load(section(tree), look=False)["train"]
    assert len(every) < len(some)
    wanted = {name: some.turn(torch.tensor([n])).item() for n, name in enumerate(some.names)}
    assert every.turn(torch.arange(len(every))).tolist() == [wanted[name] for name in every.names]
    one, other = (split.names.index(every.names[-1]) for split in (every, some))
    drawn = [
        augmented(split, torch.tensor([number]), "crop", 16, 0, 1) for split, number in ((every, one), (some, other))
    ]
    assert torch.equal(*drawn)


def test_of_few_pictures_the_next_one_takes_the_place_of_one_with_a_flaw(tree, section):
    train = load(section(tree), look=False)["train"]
    first, *_ = (train.names[i] for i in subset(train, 3, 0).tolist() if train.labels[i] == 0)
    other = next(train.names[i] for i in subset(train, 3, 0).tolist() if train.labels[i] == 1)
    (tree / first).write_bytes(b"no picture")
    tested = load(section(tree))["test"].names[0]
    shutil.copy(tree / tested, tree / other)
    again = load(section(tree), look=False)["train"]
    chosen = subset(again, 3, 0)
    assert again.labels[chosen].bincount().tolist() == [3, 3]
    names = {again.names[i] for i in chosen.tolist()}
    assert not names & {first, other}
    assert sorted(again.skipped) == sorted(
        [f"{first}: no picture of a kind that Pillow reads", f"{other}: the same picture as {tested}, which is in test"]
    )
    for asked, there in {
        15: r"14 of the 30 training pictures",
        14: r"13 of the 30 training pictures, \d skipped",
    }.items():
        with pytest.raises(UserError, match=rf"^data.per_class={asked}: class cat has {there}; allowed: up to"):
            subset(load(section(tree), look=False)["train"], asked, 0)


def test_classes_are_chosen_by_a_list_or_a_file_of_names(tree, section, tmp_path):
    draw(tree / "train/eel/0.png", 99)
    (tmp_path / "names.txt").write_text("dog\neel\n")
    told, listed = section(tree, f"data.classes={tmp_path / 'names.txt'}"), section(tree, "data.classes=[dog,eel]")
    assert told == listed
    assert load(told)["train"].classes == ("dog", "eel")
    assert {name.split("/")[1] for name in load(told)["test"].names} == {"dog"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.root=nowhere"], "data.root=nowhere: no sub-folder train; allowed: nowhere/train/<class>/<picture>"),
        (["data.classes=[cat,cow]"], "data.root=.*: no class cow in train, where all must be"),
        (["data.train=31"], r"data.train=31: 30 pictures are left; allowed: up to these"),
        (["data.test=13"], r"data.test=13: 12 pictures are left; allowed: up to these"),
    ],
)
def test_what_the_folder_does_not_have_is_one_line(tree, section, overrides, said):
    with pytest.raises(UserError, match=f"^{said}"):
        load(section(tree, *overrides))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.root=null"], "data.root=null: data=labelled_folder needs a folder; allowed: data.root=FOLDER"),
        (["data.resize=15"], "data.resize=15: allowed: from data.side=16"),
        (["data.classes=[cat]"], "data.classes: 1 names; allowed: two or more, each once"),
        (["data.classes=no.txt"], r"data.classes=no.txt: allowed: null \| a list of names .* \| a text file"),
        (["data.train=9"], "data.train=9: allowed: an integer from 10 to 2000000 or null"),
        (["data.workers=-1"], "data.workers=-1: allowed: an integer from 0 to 256"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(tree, section, overrides, said):
    with pytest.raises(UserError, match=f"^{said}"):
        section(tree, *overrides)


def test_pictures_without_classes_are_refused(tree, section):
    draw(tree / "val/loose.png", 1)
    with pytest.raises(UserError, match="1 pictures in val are in no class"):
        load(section(tree))


def test_an_identity_knows_the_contents_but_not_the_place(tree, config, tmp_path):
    def told(root):
        return fingerprints(config(*SHIFT, "data=labelled_folder", f"data.root={root}", *FEW, f"runs={tmp_path}"))

    first = told(tree)["data.root"]
    copy = shutil.copytree(tree, tmp_path / "copy")
    assert told(copy)["data.root"] == first
    draw(copy / "train/cat/00.png", 77)
    assert os.stat(copy / "train/cat/00.png").st_size > 0
    from equivariance import fingerprints as module

    module._among.cache_clear()
    assert told(copy)["data.root"] != first


def test_the_class_of_a_crop_is_its_photograph_and_strips_are_disjoint(config):
    made = config(
        *SHIFT, "experiment.canvas=40", "data=labelled_photos", "data.train=24", "data.validation=10", "data.test=16"
    ).data
    splits = load(made)
    for split, found in splits.items():
        assert found.pixels.shape == (len(found), 3, 32, 32)
        for name, label in zip(found.names, found.labels.tolist(), strict=True):
            assert name.startswith(f"{PHOTOS[label]}, {split} strip")
    fewer = load(made.model_copy(update={"train": 10}))
    assert torch.equal(fewer["test"].pixels, splits["test"].pixels)


@pytest.fixture
def fashion(tmp_path):
    """The four files, of 30 and 20 images."""
    random = np.random.default_rng(0)
    for (images, labels), count in zip(FILES.values(), (30, 20), strict=True):
        for name, sizes, top in ((images, (count, 28, 28), 256), (labels, (count,), 10)):
            header = np.array([0x800 + len(sizes), *sizes], ">u4").tobytes()
            content = header + random.integers(0, top, sizes, dtype=np.uint8).tobytes()
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path


OBJECTS = ("data.train=20", "data.validation=10", "data.test=20", "data.side=28")


@pytest.mark.parametrize("plain", [False, True])
def test_fashion_mnist_is_read_where_its_files_lie(fashion, config, plain):
    root, folder = fashion, fashion
    if plain:
        folder = fashion / "FashionMNIST" / "raw"
        folder.mkdir(parents=True)
        for file in fashion.glob("*.gz"):
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
            file.unlink()
    run = config(*SHIFT, "experiment.reach=2", "data=fashion_mnist", f"data.root={root}", *OBJECTS, f"runs={fashion}")
    test = load(run.data)["test"]
    assert test.pixels.shape == (20, 3, 28, 28)
    assert sorted(test.names) == sorted(f"test/{n}" for n in range(20))
    assert set(fingerprints(run)) == {"data.root"}


@pytest.mark.parametrize("spoil", [lambda c: c[:-9], lambda c: b"no gzip", lambda c: gzip.compress(b"\0\0\x08\x01")])
def test_a_broken_file_of_fashion_mnist_is_one_line(fashion, config, spoil):
    file = fashion / f"{FILES['test'][0]}.gz"
    file.write_bytes(spoil(file.read_bytes()))
    run = config(*SHIFT, "experiment.reach=2", "data=fashion_mnist", f"data.root={fashion}", *OBJECTS)
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte.gz (cannot be read|is no file of 3 dimensions)"):
        load(run.data)
