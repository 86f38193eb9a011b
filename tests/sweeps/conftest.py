"""An MLflow store for each test that needs one."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def store(empty_store, workdir) -> Path:
    """mlflow.db in the working folder, as the platform finds it by default."""
    return Path(shutil.copy(empty_store, workdir / "mlflow.db"))
