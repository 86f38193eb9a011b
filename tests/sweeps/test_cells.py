"""Cells of a sweep: done is what the sweep itself would reuse, and nothing else that has the values of its axes."""

import sys
from itertools import product
from types import SimpleNamespace

import pytest

from equivariance import run
from sweeps import cells, grid
from sweeps.__main__ import main
from tests.sweeps.runs import finished_config, finished_run


@pytest.fixture
def status(workdir, capsys):
    """What `python -m sweeps` says of an artefact: its line, but for the command."""

    def line(name):
        assert main([]) == 0
        found = next(text for text in capsys.readouterr().out.splitlines() if text.startswith(name))
        return " ".join(found.split("python")[0].split()[1:])

    return line


def launched(monkeypatch, *arguments):
    """The identities of the runs that a command would launch."""
    found = []
    monkeypatch.setattr(run, "launch", lambda source, *rest: found.extend(j.record.identity for j in source.jobs))
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    run.main()
    return set(found)


@pytest.mark.parametrize(
    "name",
    ["impulse", "rook", *(pytest.param(n, marks=pytest.mark.slow) for n in ("leak_distance", "red_green", "quadrant"))],
)
def test_cells_are_the_runs_that_the_sweep_launches(name, workdir, monkeypatch):
    axes = grid.axes(name)
    found = cells.Cells(name, axes, (grid.conf_dir(),), workdir / "memory.json").identities(product(*axes.values()))
    assert set(found.values()) == launched(monkeypatch, "-m", f"+sweep={name}")
    assert len(set(found.values())) == len(found)


def test_a_run_by_any_command_counts_where_it_is_that_of_the_cell(config, workdir, status):
    for border in (64, 512):
        finished_config(
            workdir / "runs", config(f"border={border}", "device=cpu", "engine=dense", "tracking.sweep=mine")
        )
    finished_config(workdir / "runs", config("border=63"))  # of no cell
    assert status("quadrant") == "2 of 630 cells done about 10 h of computing left"


OTHERS = [
    ["optim=probe", "data.pictures=12"],
    ["optim=probe"],
    ["data.pictures=12"],
    ["data.seed=1"],
    ["data.augment=flip"],
    ["tolerance=1e-6"],
    ["experiment.pooling=avg"],
    ["experiment.canvas=128"],
    ["optim.lr=0.01"],
    ["arch.maxpool_kernel=2"],
    ["protocol=released"],
]


@pytest.mark.parametrize("overrides", OTHERS, ids=" ".join)
def test_a_run_with_other_settings_is_no_cell(config, workdir, status, overrides):
    finished_config(workdir / "runs", config("border=64", *overrides))
    assert status("quadrant") == "0 of 630 cells done 1 with other settings"


def test_a_run_of_other_code_or_of_other_contents_is_no_cell(config, workdir, status):
    finished_config(workdir / "runs", config("border=64"), edition=0)
    finished_config(workdir / "runs", config("border=32"), fingerprints={"init.checkpoint": "0" * 16})
    assert status("quadrant") == "0 of 630 cells done 2 with other settings"


def test_values_that_the_sweep_file_sets_count_too(config, workdir, status):
    exact = config("experiment=leak_distance", "arch=bagnet33")
    asked = config("experiment=leak_distance", "arch=bagnet33", "tolerance=1e-6")
    finished_config(workdir / "runs", exact)
    assert status("leak_distance") == "0 of 27 cells done 1 with other settings"
    finished_config(workdir / "runs", asked)
    assert status("leak_distance").startswith("1 of 27 cells done about 26 min")


def test_identities_are_remembered_until_code_or_config_change(workdir, monkeypatch):
    source, memory = workdir / "conf", workdir / "memory.json"
    source.mkdir()
    (source / "a.yaml").write_text("1")
    composed = []

    def identities(sweep, choices, numbers):
        composed.append(choices)
        return [[f"{choice} {point}" for point in numbers] for choice in choices]

    monkeypatch.setitem(sys.modules, "hydra_plugins.equivariance_sweeps.cells", SimpleNamespace(identities=identities))

    def asked(*wanted):
        found = cells.Cells("s", {"conv": ["same", "full"], "seed": ["0", "1"]}, (source,), memory).identities(wanted)
        return list(found.values())

    assert asked() == composed == []
    same = asked(("same", "1"))
    assert same == ["['conv=same'] {'seed': 1}"]
    assert asked(("same", "1"), ("full", "0")) == [*same, "['conv=full'] {'seed': 0}"]
    assert composed == [[["conv=same"]], [["conv=full"]]]
    (source / "a.yaml").write_text("2")
    asked(("same", "0"))
    for damage in (b"", b"[]", b'{"of": 1}', b"\xff"):
        memory.write_bytes(damage)
        assert asked(("same", "1")) == same
    assert len(composed) == 7
    memory.unlink()
    memory.mkdir()  # cannot be written
    assert asked(("same", "1")) == same


def test_a_result_that_says_odd_things_of_its_config_is_no_cell(workdir, status):
    finished_run(workdir / "runs", border=64)
    assert status("quadrant") == "0 of 630 cells done 1 with other settings"
