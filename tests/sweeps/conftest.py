"""An MLflow store with its tables made, copied for each test that needs one: making them takes seconds."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    from sweeps.tracking.mirror import Mirror

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Mirror(f"sqlite:///{path}").read("Default")
    return path


@pytest.fixture
def store(empty_store, workdir) -> Path:
    """mlflow.db in the working folder, as the platform finds it by default."""
    return Path(shutil.copy(empty_store, workdir / "mlflow.db"))
