"""The install steps of the images, run here as they stand: what they bring imports, and works from an empty folder."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docker.files import ROOT, last, stages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVER = "import mlflow, optuna_dashboard, psycopg2; from importlib.util import find_spec; print(find_spec('torch'))"
WORKER = (
    "import equivariance, psycopg2, optuna; from importlib.metadata import version as v; print(v('timm'), v('torch'))"
)
LOCK = ROOT / "requirements" / "constraints.txt"
# With the weights that the extra `pretrained` brings.
TINY = ["arch=efficientnet_lite0", "init=frozen-pretrained", "data.pictures=2", "optim=probe", "device=cpu"]


def run(venv, folder, *command):
    """Runs a command with an environment on the PATH and nothing of this checkout on the path of Python."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = f"{venv}/bin:{environment['PATH']}"
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


def test_the_servers_come_without_torch(server, tmp_path):
    done = run(server, tmp_path, "python", "-c", SERVER)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


def test_the_worker_computes_and_tabulates_from_an_empty_folder(installed, tmp_path):
    venv = installed("worker-build")
    lock = dict(line.split("==") for line in LOCK.read_text().splitlines() if "==" in line)
    brought = run(venv, tmp_path, "python", "-c", WORKER)
    assert brought.returncode == 0, brought.stderr
    timm, torch = brought.stdout.split()
    assert (timm, torch.partition("+")[0]) == (lock["timm"], lock["torch"])
    shown = run(venv, tmp_path, *json.loads(last("worker", "CMD")))
    assert (shown.returncode, "border" in shown.stdout) == (0, True), shown.stderr
    done = run(venv, tmp_path, "python", "-m", "equivariance.run", *TINY)
    assert done.returncode == 0, done.stderr
    table = run(venv, tmp_path, "python", "-m", "sweeps", "quadrant")
    assert table.returncode == 0, table.stderr
    assert (tmp_path / "results" / "quadrant.png").stat().st_size > 0


def test_the_folders_of_the_images_can_be_written_by_whom_they_say(tmp_path):
    for target, modes in (("worker", {0o1777}), ("server", {0o755})):
        (step,) = [rest for w, rest in stages()[target]["steps"] if w == "RUN" and rest.startswith("install ")]
        words = [f"{tmp_path}{w}" if w.startswith("/srv/") else w for w in shlex.split(step)]
        if os.getuid():  # only root gives files away
            words = [w for w in words if w not in ("-o", "-g", "1000")]
        subprocess.run(words, check=True)
        made = [tmp_path / w[1:] for w in shlex.split(step) if w.startswith("/srv/")]
        assert made
        assert {p.stat().st_mode & 0o7777 for p in made} == modes
        assert target == "worker" or os.getuid() or {p.stat().st_uid for p in made} == {1000}


@pytest.mark.parametrize("stage", ["cuda", "worker-build"])
def test_the_packages_of_the_system_are_to_be_had(stage):
    words = shlex.split([rest for w, rest in stages()[stage]["steps"] if w == "RUN" and "apt-get" in rest][-1])
    names = [w for w in words[words.index("install") : words.index("rm") - 1] if not w.startswith("-")][1:]
    assert names
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        pytest.skip("no lists of Debian's packages here (apt-get update)")
    done = subprocess.run(["apt-get", "install", "--simulate", *names], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
