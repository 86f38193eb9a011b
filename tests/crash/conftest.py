"""Sweeps to kill, none of which outlives its test, and one that nobody disturbs."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sweeps.tracking.mirror import Mirror
from tests.crash.harness import ROOK, Sweep, table


class Undisturbed(NamedTuple):
    """A sweep of `ROOK` from its start to its end: the seconds it took, and its table."""

    seconds: float
    table: str


@pytest.fixture(scope="session")
def made_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables, whose making takes seconds, as a new one has it."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Mirror(f"sqlite:///{path}").read("Default")
    return path


@pytest.fixture
def folder(tmp_path: Path, made_store: Path) -> Path:
    """A working folder with an empty store, for tests that have a better use for the seconds."""
    shutil.copy(made_store, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def start() -> Iterator[Callable[..., Sweep]]:
    """Starts a sweep; after the test none of its processes may be left."""
    started: list[Sweep] = []

    def begin(*arguments, **options):
        started.append(Sweep(*arguments, **options))
        return started[-1]

    yield begin
    left = [sweep for sweep in started if not sweep.gone()]
    for sweep in started:
        sweep.kill()
    assert not left, f"{len(left)} sweeps left processes"


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, made_store: Path) -> Undisturbed:
    """What the same sweep gives when nothing happens to it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copy(made_store, folder / "mlflow.db")
    began = time.monotonic()
    ended = Sweep(folder, *ROOK).ended()
    assert ended is not None
    assert ended.code == 0, ended.err
    return Undisturbed(time.monotonic() - began, table(folder))
