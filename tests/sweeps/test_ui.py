"""MLflow's page: a link straight to the accuracies of the last sweep."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from urllib.parse import parse_qs

import pytest

from sweeps.__main__ import main
from sweeps.tracking.mirror import Mirror
from sweeps.tracking.page import NOTE, VIEW, describe, link
from sweeps.tracking.store import Store
from sweeps.ui import ui
from tests.sweeps.runs import finished_run

NAME = "border=0,16 conv=same,full"
COMMAND = "python -m equivariance.run -m border=0,16 conv=same,full"


def logged(folder, name=NAME):
    """A store with an older sweep, a run alone and the last sweep, which began later."""
    mirror = Mirror(None, COMMAND)
    for accuracy, settings, sweep in [
        (0.111, {"seed": 9}, "older"),
        (0.222, {"seed": 8}, None),
        (0.987, {"conv": "same"}, name),
        (0.765, {"conv": "same", "border": 16}, name),
        (0.654, {"conv": "full"}, name),
        (0.543, {"conv": "full", "border": 16}, name),
    ]:
        record, result = finished_run(folder / "runs", accuracy, sweep=sweep, **settings)
        result["began"] += 10 * (sweep == name)
        mirror.log(record, result, sweep)


@pytest.fixture
def there(store, workdir):
    logged(workdir)
    return Store(None)


def viewed(store, address):
    """The experiment that a link names, and the view behind its key."""
    found = re.fullmatch(r"http://host/#/experiments/(\d+)/runs\?(.*)", address)
    query = parse_qs(found[2])
    assert query["workflowType"] == ["machine_learning"]
    experiment = store.client.get_experiment(found[1])
    return experiment, json.loads(experiment.tags[VIEW + query["viewStateShareKey"][0]])


def accuracies(store, experiment, view):
    return sorted(run.data.metrics["accuracy"] for run in store.search(experiment.experiment_id, view["searchFilter"]))


def test_the_link_shows_the_runs_of_the_last_sweep_and_what_varies_in_them(there):
    experiment, view = viewed(there, link(there, "http://host/"))
    assert experiment.name == "quadrant"
    assert view["searchFilter"] == f"tags.sweep = '{NAME}'"
    assert accuracies(there, experiment, view) == [0.543, 0.654, 0.765, 0.987]
    assert set(view["selectedColumns"][:3]) == {"params.`border`", "params.`conv`", "metrics.`accuracy`"}
    assert view["orderByKey"] == "metrics.`accuracy`"
    (chart,) = view["compareRunCharts"]
    assert (chart["xaxis"]["key"], chart["yaxis"]["key"]) == ("border", "accuracy")


@pytest.mark.parametrize("name", ["it's", 'a "quoted" one', "x" * 1000, "back\\slash", "50 % _"])
def test_a_sweep_of_any_name_is_found(name, store, workdir):
    logged(workdir, name)
    experiment, view = viewed(Store(None), link(Store(None), "http://host"))
    assert accuracies(Store(None), experiment, view) == [0.543, 0.654, 0.765, 0.987]


def test_the_same_runs_have_the_same_link_and_one_view(there):
    assert link(there, "http://host") == link(there, "http://host")
    experiment, _ = viewed(there, link(there, "http://host"))
    assert len([key for key in experiment.tags if key.startswith(VIEW)]) == 1


def test_runs_without_a_sweep_are_shown_with_their_experiment(store, workdir):
    Mirror(None).log(*finished_run(workdir / "runs", 0.75), None)
    experiment, view = viewed(Store(None), link(Store(None), "http://host"))
    assert accuracies(Store(None), experiment, view) == [0.75]
    assert "params.`border`" in view["selectedColumns"]


def test_a_failed_run_is_shown_with_its_reason(there, workdir):
    mirror, (record, _) = Mirror(None), finished_run(workdir / "runs", seed=77)
    mirror.begin(record, "a run", NAME, 1_800_000_000.0)
    mirror.end(record, "FAILED", "out of memory")
    _, view = viewed(there, link(there, "http://host"))
    assert "tags.`reason`" in view["selectedColumns"]


def test_an_experiment_says_what_it_is_and_which_command_made_it(there):
    number = there.experiment("quadrant")
    said = there.client.get_experiment(number).tags[NOTE]
    assert said.startswith("Can a network tell where a picture lies")
    assert f"`{COMMAND}`" in said
    describe(there, "quadrant", "another command")
    assert "`another command`" in there.client.get_experiment(number).tags[NOTE]
    there.client.set_experiment_tag(number, NOTE, "by hand")
    describe(there, "quadrant", COMMAND)
    assert there.client.get_experiment(number).tags[NOTE] == "by hand"


def test_the_default_experiment_stays_empty(there):
    assert there.search("0", "") == []


def test_without_runs_there_is_nothing_to_open(store):
    assert link(Store(None), "http://host") is None


def test_a_server_that_cannot_be_reached_is_said_in_one_line(workdir, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["ui", "--uri", "http://127.0.0.1:9"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_server_is_shown_at_its_own_address_and_none_is_started(there, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(there, "uri", "https://lab.example/mlflow/")
    monkeypatch.setattr("subprocess.Popen", None)
    assert ui(there) == 0
    assert capsys.readouterr().out.startswith("https://lab.example/mlflow/#/experiments/")


def test_a_password_of_a_store_is_on_no_command_line(workdir):
    store = Store("postgresql://bob:secret@127.0.0.1:9/mlflow")
    assert not store.is_server
    assert store.environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://bob:secret@127.0.0.1:9/mlflow"


@pytest.mark.slow
def test_who_follows_the_link_sees_the_accuracies_of_the_last_sweep(there, workdir, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not browser:
        pytest.skip("no Chromium here to open the page with: apt-get install chromium")
    command = [sys.executable, "-m", "sweeps", "ui"]
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    with subprocess.Popen(command, cwd=workdir, env=environment, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().strip()
        page = opened(browser, address, tmp_path / "profile")
        charts = opened(browser, address.replace("=TABLE", "=CHART"), tmp_path / "profile")
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert address.startswith("http://127.0.0.1:")
    for text in ("0.987", "0.765", "0.654", "0.543"):
        assert text in page
    assert "0.111" not in page
    assert "0.222" not in page
    assert "Can a network tell where a picture lies" in page
    assert "Latency" not in page
    assert "accuracy over border" in charts


def opened(browser, address, profile):
    """The text of a page when its table is there."""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000", f"--user-data-dir={profile}"]
    until, text = time.monotonic() + 120, ""
    while "accuracy" not in text and time.monotonic() < until:
        command = [browser, *flags, "--virtual-time-budget=30000", "--dump-dom", address]
        text = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    return re.sub(r"<[^>]*>", " ", text)
