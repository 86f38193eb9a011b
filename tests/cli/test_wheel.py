"""A built wheel works from any other folder: the config tree and Hydra's plugins travel with it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The project's wheel, built from a copy of the tree."""
    source, out = tmp_path_factory.mktemp("source") / "project", tmp_path_factory.mktemp("dist")
    skip = shutil.ignore_patterns(".*", "__pycache__", "runs", "results", "mlruns", "*.db", "tests")
    shutil.copytree(ROOT, source, ignore=skip)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        command = [uv, "build", "--wheel", "--python", sys.executable, "--out-dir", str(out), str(source)]
    else:
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    if done.returncode and ("hatchling" in done.stderr or "No module named build" in done.stderr):
        pytest.skip("no hatchling here to build a wheel with: " + done.stderr.strip().splitlines()[-1][:200])
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder into which the wheel alone is unpacked."""
    target = tmp_path_factory.mktemp("target")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def typed(installed, folder, *command):
    """Runs Python on the installed wheel: isolated from this checkout, with its dependencies."""
    hidden = f"import sys; sys.path[:] = [p for p in sys.path if p not in ({str(ROOT)!r}, '')]; sys.meta_path[:] = "
    hidden += "[f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
    hidden += f"sys.path.insert(0, {str(installed)!r}); import runpy; sys.argv = {list(command)!r}; "
    hidden += f"runpy.run_module({command[0]!r}, run_name='__main__')"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", hidden]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


def test_the_wheel_holds_the_config_tree_and_nothing_of_the_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    held = {n.removeprefix("equivariance/") for n in names if n.startswith("equivariance/conf/")}
    assert held == {p.relative_to(ROOT).as_posix() for p in (ROOT / "conf").rglob("*.yaml")}
    assert "hydra_plugins/equivariance_sweeps/local.py" in names
    assert not [n for n in names if n.startswith(("tests", "benchmarks", "conf/"))]
    assert "hydra_plugins/__init__.py" not in names  # a namespace that other packages share
    assert any(n.endswith("LICENSE") for n in names)


def test_it_composes_and_refuses_from_another_folder(installed, tmp_path):
    shown = typed(installed, tmp_path, "equivariance.run", "--cfg", "job", "conv=full")
    assert shown.returncode == 0, shown.stderr
    assert "name: full" in shown.stdout
    assert typed(installed, tmp_path, "equivariance.run", "--help").returncode == 0
    refused = typed(installed, tmp_path, "equivariance.run", "bordr=1")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "630" in typed(installed, tmp_path, "sweeps").stdout


def test_it_runs_from_another_folder(installed, tmp_path):
    done = typed(installed, tmp_path, "equivariance.run", "arch=resnet8", "data.pictures=2", "optim=probe", "border=0")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs").rglob("result.json"))) == 1


def test_there_is_a_console_script(wheel):
    archive = zipfile.ZipFile(wheel)
    entry = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
    assert "equivariance = equivariance.run:main" in archive.read(entry).decode()
