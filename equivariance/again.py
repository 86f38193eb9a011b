"""A finished run computed anew elsewhere, from the config that it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from equivariance.config import validate
from equivariance.job import prepare
from sweeps.launcher.attempt import attempt
from sweeps.launcher.source import Outcome
from sweeps.records import Record


def again(record: Record, folder: Path) -> tuple[Record, Outcome]:
    """Computes a run anew, on this machine's device where the config leaves the choice.

    Args:
        record: of the finished run, whose `config.yaml` says what it was.
        folder: of run directories, for the new one and for what it keeps.
    Returns: The new record and what became of it.
    Raises: UserError: the config is not valid for this version, or names what is gone.
    """
    plain: dict[str, Any] = yaml.safe_load((record.path / "config.yaml").read_text())
    config = validate({**plain, "runs": str(folder), "force": True, "tracking": {"uri": None, "sweep": None}})
    job = prepare(config)
    return job.record, attempt(job, lambda row: None)
