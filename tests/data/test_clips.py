"""Videos in files: frames as decoded, kept frames, splits by source, what cannot be used."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from equivariance.data.clips import load
from equivariance.data.clips.films import Films, Held
from equivariance.data.clips.groups import group
from equivariance.data.clips.sampling import Cut, central, clip, drawn
from equivariance.errors import UserError

av = pytest.importorskip("av", reason="no PyAV: pip install 'equivariance[video]'")

from equivariance.data.clips.decoders import DECODERS, imported  # noqa: E402
from equivariance.data.clips.frames import Kept, frames  # noqa: E402
from equivariance.data.picture_file import UnusableError  # noqa: E402

CLIP = ("experiment=action", "data=clips", "data.frames=4", "data.side=16", "data.resize=16")


def film(path, count=6, side=(32, 24), rate=30, times=None, seed=0):
    """A video whose frames are of one grey each, brighter and brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.bit_rate = *side, 4_000_000
        for number in range(count):
            grey = np.full((side[1], side[0], 3), 20 + 30 * number + seed, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = number if times is None else times[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def ucf(tmp_path):
    """Two classes of five groups with two videos each, and lists that test on the first."""
    root = tmp_path / "ucf"
    lines = {"train": [], "test": []}
    for number, name in enumerate(("Archery", "Bowling")):
        for g in range(1, 6):
            for c in (1, 2):
                path = film(root / name / f"v_{name}_g0{g}_c0{c}.avi", seed=number + g)
                lines["test" if g == 1 else "train"].append(f"{name}/{path.name}")
    (root / "trainlist01.txt").write_text("".join(f"{line} 1\n" for line in lines["train"]))
    (root / "testlist01.txt").write_text("".join(f"{line}\n" for line in lines["test"]))
    return root


@pytest.fixture
def loaded(config, tmp_path):
    return lambda root, *more: load(config(*CLIP, f"data.root={root}", f"data.cache={tmp_path}/kept", *more).data)


@pytest.fixture(params=DECODERS)
def decoder(request):
    """Each that loads here."""
    try:
        imported(request.param)
    except UserError as refused:
        pytest.skip(str(refused))
    return request.param


def test_frames_are_those_that_are_asked_for_in_their_order(tmp_path, decoder):
    found = frames(film(tmp_path / "a.avi"), [4, 0, 2], decoder)
    assert found.shape == (3, 3, 24, 32)
    greys = found.float().mean((1, 2, 3))
    assert (greys - torch.tensor([140.0, 20.0, 80.0])).abs().max() < 4
    with pytest.raises(UnusableError, match=r"^no frame 6$"):
        frames(tmp_path / "a.avi", [0, 6], decoder)


@pytest.mark.parametrize(("failure", "said"), [(ImportError, "videos need torchcodec"), (OSError, "does not load")])
def test_a_decoder_that_is_not_there_is_one_line_before_any_work(tmp_path, loaded, monkeypatch, failure, said):
    for name in "ab":
        film(tmp_path / "films" / name / "0.avi")

    def fails(name, *more, before=importlib.import_module):
        if name.startswith("torchcodec"):
            raise failure(name)
        return before(name, *more)

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(UserError, match=f"^data.decoder=torchcodec: .*{said}") as refused:
        loaded(tmp_path / "films", "data.decoder=torchcodec")
    assert "\n" not in str(refused.value)


def test_what_each_decoder_kept_is_kept_apart(tmp_path, monkeypatch):
    path, kept = film(tmp_path / "a.avi"), Kept(tmp_path / "kept", 12)
    other = Kept(tmp_path / "kept", 12, "torchcodec")
    monkeypatch.setattr("equivariance.data.clips.frames.edition", str)
    assert kept._place(path) != other._place(path)


def test_times_rounded_to_milliseconds_are_an_even_rate(tmp_path, decoder):
    path = film(tmp_path / "a.mkv", 7)
    assert Kept(tmp_path / "kept", 12, decoder).length(path) == 7


def test_no_decoder_takes_what_is_no_video(tmp_path, decoder):
    whole = film(tmp_path / "whole.mp4").read_bytes()
    for name, content in {"empty": b"", "torn": whole[: len(whole) // 3], "text": b"no video"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnusableError):
            Kept(tmp_path / "kept", 12, decoder).length(tmp_path / name)


def test_kept_frames_are_the_decoded_ones_resized_and_are_not_decoded_again(tmp_path, monkeypatch):
    path, kept = film(tmp_path / "a.avi"), Kept(tmp_path / "kept", 12)
    assert kept.length(path) == 6
    monkeypatch.setattr("equivariance.data.clips.frames.decoded", None)
    assert kept.length(path) == 6
    found = kept.frames(path, [5, 1])
    assert found.shape == (2, 3, 12, 16)
    assert (found.float().mean((1, 2, 3)) - torch.tensor([170.0, 50.0])).abs().max() < 4


def test_what_cannot_be_used_is_left_out_counted_and_named(tmp_path, loaded):
    root = tmp_path / "films"
    for name in ("a", "b"):
        for number in range(5):
            film(root / name / f"{number}.mp4", seed=number)
    film(root / "a" / "short.mp4", count=3)
    film(root / "a" / "uneven.mp4", count=8, times=[0, 1, 4, 5, 11, 12, 19, 20])
    (root / "a" / "empty.mp4").write_bytes(b"")
    whole = (root / "a" / "0.mp4").read_bytes()
    (root / "a" / "torn.mp4").write_bytes(whole[: len(whole) // 3])
    (root / "a" / "text.avi").write_text("no video")
    found = loaded(root)
    lines = {line.partition(":")[0]: line for films in found.values() for line in films.skipped}
    assert set(lines) == {f"a/{n}" for n in ("short.mp4", "uneven.mp4", "empty.mp4", "torn.mp4", "text.avi")}
    assert lines["a/short.mp4"] == "a/short.mp4: 3 frames, fewer than a clip's 4"
    assert "variable frame rate" in lines["a/uneven.mp4"]
    names = [name for films in found.values() for name in films.names]
    assert len(set(names)) == len(names) == 10


def test_published_lists_say_what_is_tested_and_validation_takes_whole_groups(ucf, loaded):
    found = loaded(ucf, "data=ucf101")
    groups = {split: {group(Path(name)) for name in films.names} for split, films in found.items()}
    assert groups["test"] == {"Archery/g01", "Bowling/g01"}
    assert not groups["train"] & groups["validation"]
    assert sum(map(len, groups.values())) == 10
    assert len(found["validation"]) == 4
    assert found["test"].labels.tolist() == [0, 0, 1, 1]
    released = loaded(ucf, "data=ucf101", "protocol=released")
    assert released["validation"].names == released["test"].names
    assert len(released["train"]) == 16


def test_a_group_that_is_trained_and_tested_on_is_refused(ucf, loaded):
    with (ucf / "trainlist01.txt").open("a") as file:
        file.write("Archery/v_Archery_g01_c02.avi 1\n")
    (ucf / "testlist01.txt").write_text("Archery/v_Archery_g01_c01.avi\n")
    with pytest.raises(UserError, match="Archery/g01 is trained and tested on"):
        loaded(ucf, "data=ucf101")


def test_hmdb51_has_a_list_a_class(tmp_path, loaded):
    root = tmp_path / "hmdb"
    for name in ("hug", "ride_bike"):
        videos = [f"Film_{n}_{name}_f_cm_np2_le_med_{n}.avi" for n in range(6)]
        for video in videos[1:]:
            film(root / name / video)
        kinds = [2, 2, 1, 1, 1, 0]
        lines = "".join(f"{video} {kind} \n" for video, kind in zip(videos, kinds, strict=True))
        (root / f"{name}_test_split1.txt").write_text(lines)
    found = loaded(root, "data=hmdb51")
    assert len(found["test"]) == 2
    assert len(found["train"]) + len(found["validation"]) == 6
    assert "hug/Film_0_hug_f_cm_np2_le_med_0.avi: listed, not there" in found["train"].skipped


def test_source_films_are_told_by_names():
    assert group(Path("Wave/TrumanShow_wave_f_nm_np1_fr_med_26.avi")) == "TrumanShow"
    assert group(Path("ride_bike/A_b_c_ride_bike_f_cm_np1_ri_goo_0.avi")) == "A_b_c"
    assert group(Path("v_SoccerJuggling_g23_c01.avi")) == "SoccerJuggling/g23"
    assert group(Path("a/mine.mp4")) != group(Path("b/mine.mp4"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: None, "cannot be read"),
        (lambda root: film(root / "a" / "0.avi"), "1 classes; allowed: two or more folders"),
        (lambda root: [film(root / n / "0.avi") for n in "ab"], "no videos for"),
    ],
)
def test_a_folder_that_will_not_do_is_one_line(tmp_path, loaded, make, said):
    make(tmp_path / "films")
    with pytest.raises(UserError, match=said) as refused:
        loaded(tmp_path / "films")
    assert "\n" not in str(refused.value)


def test_missing_lists_are_one_line(tmp_path, loaded):
    for name in "ab":
        film(tmp_path / "films" / name / "0.avi")
    with pytest.raises(UserError, match=r"no trainlist01.txt there or in ucfTrainTestlist$"):
        loaded(tmp_path / "films", "data=ucf101")


def held(length, height=8, width=12):
    pixels = torch.arange(length * 3 * height * width, dtype=torch.int32).reshape(1, length, 3, height, width) % 251
    return Films(Held(pixels.to(torch.uint8)), torch.zeros(1, dtype=torch.int64), ("a",), ("x", "y"))


def test_clips_follow_one_another_and_short_videos_begin_again():
    assert [cut.start for _, cut in central(held(11), 4, 3)] == [0, 4]
    assert [cut.start for _, cut in central(held(40), 4, 3)] == [0, 4, 8]
    assert [cut.start for _, cut in central(held(3), 4, 3)] == [0]
    looped = clip(held(3), 0, Cut(0), 5, 8)
    assert torch.equal(looped[:, 3:], looped[:, :2])


@pytest.mark.parametrize(
    ("place", "rows", "columns"), [(0, (0, 4), (0, 4)), (1, (0, 4), (8, 12)), (2, (4, 8), (0, 4)), (4, (2, 6), (4, 8))]
)
def test_a_crop_is_a_corner_or_the_middle(place, rows, columns):
    films = held(4)
    wanted = films.videos.pixels[0, 1:3, :, slice(*rows), slice(*columns)].float().transpose(0, 1) / 255
    assert torch.equal(clip(films, 0, Cut(1, 0.5, place), 2, 4), wanted)
    assert torch.equal(clip(films, 0, Cut(1, 0.5, place, True), 2, 4), wanted.flip(3))


def test_random_clips_reach_every_choice_and_the_seed_repeats_them():
    def some(flip=True):
        random = np.random.default_rng(0)
        return [drawn(6, 4, (1.0, 0.5), flip, random) for _ in range(200)]

    cuts = some()
    assert cuts == some()
    assert {cut.start for cut in cuts} == {0, 1, 2}
    assert {(cut.scale, cut.place, cut.mirrored) for cut in cuts} == {
        (s, p, m) for s in (1.0, 0.5) for p in range(5) for m in (False, True)
    }
    assert not any(cut.mirrored for cut in some(flip=False))


def test_real_videos_of_both_published_sets_are_read(shared, tmp_path, decoder):
    kept = Kept(tmp_path, 112, decoder)
    lengths = {path.name: kept.length(path) for path in sorted((shared / "data" / "clips").glob("*.avi"))}
    wanted = [72, 74, 48, 83, 240, 251]
    apart = 0 if decoder == "pyav" else 1  # of files whose last packet shows nothing
    assert all(abs(a - b) <= apart for a, b in zip(lengths.values(), wanted, strict=True))
    widths = {kept.frames(path, [0]).shape[-1] for path in (shared / "data" / "clips").glob("*.avi")}
    assert widths == {149, 202, 261}
