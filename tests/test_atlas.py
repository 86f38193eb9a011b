"""The atlas: theory's numbers, one row a network, a table that goes on where it stopped, a page of it."""

from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch
from torchvision.models import squeezenet1_1

from equivariance.atlas import gather, measure, page, rows
from equivariance.atlas.__main__ import main
from equivariance.atlas.cap import Cap, Overtime
from equivariance.atlas.gather import Row, plain, row
from equivariance.atlas.measure import open_
from equivariance.atlas.table import read, written
from equivariance.errors import UserError


def test_a_row_is_what_theory_says_and_comes_back_from_the_file(tmp_path):
    found = row("torchvision", "resnet", "resnet18")
    assert (found.field, found.stride, found.border, found.halo) == (435, 32, 433, 224)
    assert (found.even_below, found.even_above, found.uneven, found.forbids) == (193, 225, 5, "")
    written({("torchvision", "resnet18"): plain(found)}, tmp_path / "atlas.csv")
    (again,) = read(tmp_path / "atlas.csv").values()
    assert (again["border"], again["leak_same"]) == ("433", "")
    assert "torchvision" in (tmp_path / "atlas.csv").read_text().splitlines()[0]


def test_what_is_no_convolutional_network_says_so_and_no_more():
    found = row("torchvision", "vit", "vit_b_16")
    assert (found.kind, found.field) == ("attends", None)
    unknown = row("torchvision", "x", "no_such_network")
    assert (unknown.kind, "no_such_network" in unknown.forbids) == ("does not run", True)


def test_a_network_that_takes_too_long_is_a_row_that_says_so():
    found = row("torchvision", "densenet", "densenet201", seconds=0.0)
    assert (found.kind, found.forbids) == ("does not run", "takes more than 0 s of one processor core")
    with pytest.raises(Overtime):
        endless(Cap(0.02))


def endless(cap):
    with cap():
        while True:
            with suppress(Exception):  # as other people's code does
                sum(range(10_000))


def test_the_smallest_of_each_family_are_measured_first_and_none_twice():
    named = [("b2", "b", 2, ""), ("a3", "a", 3, ""), ("a1", "a", 1, "8"), ("a2", "a", 2, ""), ("b5", "b", 5, "")]
    known = {
        ("timm", name): {"library": "timm", "network": name, "family": family, "parameters": str(size)}
        | {"kind": "convolutional", "leak_same": leak}
        for name, family, size, leak in named
    }
    assert [row["network"] for row in open_(known)] == ["b2", "a2", "a3", "b5"]


def test_distances_with_weights_of_a_file_are_of_these_and_wrong_files_are_refused(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(measure, "leak_distance", lambda net, pictures: seen.append(net) or SimpleNamespace(pixels=8))
    monkeypatch.setattr(measure, "_pictures", lambda: torch.empty(0))
    monkeypatch.setattr(measure, "CONVS", ("same",))
    known = {("torchvision", "squeezenet1_1"): {"library": "torchvision", "family": "x", "network": "squeezenet1_1"}}
    state = squeezenet1_1().state_dict()
    torch.save(state, tmp_path / "squeezenet1_1-mine.pth")
    measure.trained(known, tmp_path, tmp_path / "atlas.csv")
    assert all(torch.equal(state[name], found) for name, found in seen[0].state_dict().items())
    (row,) = read(tmp_path / "atlas.csv").values()
    assert (row["trained_same"], row["leak_same"]) == ("8", "")
    torch.save({"a": torch.ones(1)}, tmp_path / "squeezenet1_1-mine.pth")
    with pytest.raises(UserError, match=r"squeezenet1_1-mine\.pth"):
        measure.trained(known, tmp_path, tmp_path / "atlas.csv")
    with pytest.raises(UserError, match=r"allowed: a folder of NAME\.pth"):
        measure.trained({}, tmp_path, tmp_path / "atlas.csv")


def test_a_folder_of_weights_that_is_not_there_is_refused_before_any_network_is_looked_at(tmp_path, capsys):
    assert main(["--weights", str(tmp_path / "nowhere"), "--out", str(tmp_path / "atlas.csv")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_every_convolutional_network_of_the_repository_and_what_was_measured():
    found = page.page()
    shown = [r for r in read(page.PLACES[0]).values() if r["kind"] == "convolutional"]
    assert len(found.sections[1].table) == len(shown) > 5
    assert f"{len(shown)} convolutional networks" in found.sections[1].lines[0]


@pytest.fixture
def listed(monkeypatch):
    """Three networks of two families, of which rows are known at once; what was asked for."""
    asked = []

    def row(library, family, name, seconds):
        asked.append(name)
        return Row(library, family, name, "convolutional")

    monkeypatch.setattr(gather, "families", lambda: iter([("timm", "a", ["a1", "a2"]), ("timm", "b", ["b1"])]))
    monkeypatch.setattr(gather, "row", row)
    return asked


def test_one_of_each_family_comes_first_and_the_table_goes_on(listed, tmp_path):
    known = {}
    rows.add(known, tmp_path / "atlas.csv", only="1", families=True)
    assert listed == ["a1", "b1"]
    rows.add(known, tmp_path / "atlas.csv", families=True)
    assert listed == ["a1", "b1"]
    rows.add(read(tmp_path / "atlas.csv"), tmp_path / "atlas.csv")
    assert listed == ["a1", "b1", "a2"]
    assert [name for _, name in read(tmp_path / "atlas.csv")] == ["a1", "a2", "b1"]


def test_what_is_known_is_kept_when_it_is_stopped(listed, tmp_path, monkeypatch, capsys):
    def stops(library, family, name, seconds, before=gather.row):
        if name == "a2":
            raise KeyboardInterrupt
        return before(library, family, name, seconds)

    monkeypatch.setattr(gather, "row", stops)
    assert main(["--workers", "1", "--out", str(tmp_path / "atlas.csv")]) == 130
    assert "interrupted; the same command goes on from here" in capsys.readouterr().err
    assert [name for _, name in read(tmp_path / "atlas.csv")] == ["a1", "b1"]


def test_no_processes_are_refused(tmp_path, capsys):
    assert main(["--workers", "0", "--out", str(tmp_path / "atlas.csv")]) == 2
    assert "--workers 0: allowed: 1 or more" in capsys.readouterr().err


@pytest.mark.slow
def test_several_processes_give_the_same_rows(tmp_path):
    tables = []
    for workers in (1, 2):
        out = tmp_path / f"{workers}.csv"
        assert main(["--only", "squeezenet", "--workers", str(workers), "--out", str(out)]) == 0
        tables.append(out.read_text())
    assert tables[0] == tables[1]
    assert "squeezenet1_1" in tables[0]


def test_another_file_is_no_table(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other columns"):
        read(tmp_path / "other.csv")
