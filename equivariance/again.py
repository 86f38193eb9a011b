"""A finished run computed anew elsewhere, from the config that it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from equivariance.config import validate
from equivariance.errors import UserError
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
    Raises: UserError: the config cannot be read, is not valid for this version, or names what is gone or has changed.
        OSError: there is none.
    """
    config = validate({**_left(record), "runs": str(folder), "force": True, "tracking": {"uri": None, "sweep": None}})
    job = prepare(config)
    if job.record.identity != record.identity:  # told before hours are spent on it
        raise UserError("its config means another run in this version, or what its paths hold has changed")
    return job.record, attempt(job, lambda row: None)


def _left(record: Record) -> dict[str, Any]:
    """The config that a run left."""
    try:
        plain = yaml.safe_load((record.path / "config.yaml").read_bytes())
    except yaml.YAMLError as error:
        raise UserError(f"config.yaml: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(plain, dict):
        raise UserError("config.yaml: no keys in it")
    return plain
