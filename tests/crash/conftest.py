"""Sweeps to kill, none of which outlives its test, and one that nobody disturbs."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import once
from tests.crash.harness import EIGHT, ROOK, Sweep, table


class Undisturbed(NamedTuple):
    """A sweep from its start to its end: the seconds it took, and its table."""

    seconds: float
    table: str


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
def undisturbed(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Undisturbed:
    """What `ROOK` gives when nothing happens to it."""
    return _undisturbed(tmp_path_factory, empty_store, "rook", ROOK)


@pytest.fixture(scope="session")
def undisturbed_eight(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Undisturbed:
    """What `EIGHT` gives when nothing happens to it."""
    return _undisturbed(tmp_path_factory, empty_store, "eight", EIGHT)


def _undisturbed(factory: pytest.TempPathFactory, store: Path, name: str, command: tuple[str, ...]) -> Undisturbed:
    def make(folder: Path) -> None:
        shutil.copy(store, folder / "mlflow.db")
        began = time.monotonic()
        ended = Sweep(folder, *command).ended()
        assert ended is not None
        assert ended.code == 0, ended.err
        (folder / "seconds").write_text(str(time.monotonic() - began))
        (folder / "table.csv").write_text(table(folder))

    folder = once(factory, f"undisturbed-{name}", make)
    return Undisturbed(float((folder / "seconds").read_text()), (folder / "table.csv").read_text())
