"""Fixtures for all tests: composed configs, an empty working folder, the data beside the repository."""

import copy
import fcntl
import functools
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Locally every run draws new examples; CI always the same, so that a change is what turns it red.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
Compose = Callable[..., dict[str, Any]]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than cores: tests that wait for processes they have started leave a core idle."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    import torch

    torch.set_num_threads(1)  # two CPU cores are often shared; more threads than cores are many times slower


@pytest.fixture(scope="session", autouse=True)
def _files_parsed_once() -> Iterator[None]:
    """Hydra parses a config file anew for each config; of a command that composes, this is a quarter of its time."""
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins

    Plugins.instance()  # which registers the sources
    source = SourcesRegistry.instance().resolve("file")
    read, known = source.load_config, {}

    def load(self: Any, config_path: str) -> Any:
        file = Path(self.path, self._normalize_file_name(config_path))
        if not file.is_file():
            return read(self, config_path)
        key = (self.provider, file, file.stat().st_mtime_ns)
        known[key] = known.get(key) or read(self, config_path)
        return copy.deepcopy(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "load_config", load)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real pictures and weights beside the repository."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder 'shared' with real pictures and weights beside the repository")
    return folder


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, in which nothing names another store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def raw() -> Iterator[Compose]:
    """Composes a config from conf/ with Hydra and gives it as plain nested values."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from equivariance.overrides import conf_dir, register_protocol

    register_protocol()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        yield _composed
    GlobalHydra.instance().clear()


def _composed(*overrides: str) -> dict[str, Any]:
    """As the launcher composes a sweep: once for each choice of config groups, plain values laid over a copy."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    from hydra_plugins.equivariance_sweeps.local import laid, parted

    values, others = parted(OverridesParser.create().parse_overrides(list(overrides)), _is_group)
    config = laid(_base(*(o.input_line for o in others)), values)
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


def _is_group(key: str) -> bool:
    return (ROOT / "conf" / key).is_dir()


@functools.cache  # conf/ does not change while tests run, and Hydra takes a tenth of a second to compose
def _base(*overrides: str) -> "DictConfig":
    from hydra import compose

    return compose("config", list(overrides))


@pytest.fixture
def config(raw: Compose) -> Callable[..., Any]:
    """Composes and validates a config."""
    from equivariance.config import validate

    return lambda *overrides: validate(raw(*overrides))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of all workers fills, for the others to use.

    Args:
        factory: of temporary folders.
        name: of the folder.
        make: fills it, given an empty one.
    """
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / f"once-{name}"
    with (base / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            filling = base / f"filling-{name}"
            shutil.rmtree(filling, ignore_errors=True)  # of a worker that failed half-way
            filling.mkdir()
            make(filling)
            filling.rename(folder)
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables made, to be copied: making them takes seconds."""

    def make(folder: Path) -> None:
        from sweeps.tracking.mirror import Mirror

        Mirror(f"sqlite:///{folder / 'mlflow.db'}").read("Default")

    return once(tmp_path_factory, "store", make) / "mlflow.db"


@pytest.fixture
def folder(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an empty store, for tests that have a better use for the seconds; nothing names another."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # reading a store in this process sets it
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return tmp_path


def pytest_collection_finish() -> None:
    """Spares the garbage collector what stays anyhow: modules and tests are more than a million objects."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start processes first: they wait for one another while a second core computes."""
    items.sort(key=lambda item: not {"crash", "cli"} & set(item.path.parts))
