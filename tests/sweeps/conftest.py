"""An MLflow store for each test that needs one."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _revisions_read_once() -> Iterator[None]:
    """Optuna loads its revision scripts for each storage it opens, a quarter of the time of tests of studies."""
    from optuna.storages._rdb.storage import _VersionManager

    read, heads = _VersionManager.get_head_version, []

    def head(self: Any) -> str:
        heads.extend([] if heads else [read(self)])
        return heads[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_VersionManager, "get_head_version", head)
        yield


@pytest.fixture
def store(empty_store, workdir) -> Path:
    """mlflow.db in the working folder, as the platform finds it by default."""
    return Path(shutil.copy(empty_store, workdir / "mlflow.db"))
