"""A validated config as a job of the platform: identified, computed, recorded."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from equivariance.config import Run, scientific
from equivariance.edition import EDITION
from equivariance.errors import UserError
from equivariance.fingerprints import fingerprints
from equivariance.origin import circumstances, commit, release
from equivariance.parallel import begin
from equivariance.protocols import implied
from sweeps.experiments import label
from sweeps.identity import identity
from sweeps.launcher.pool import Machine
from sweeps.launcher.source import Job, Report
from sweeps.records import Record
from sweeps.registry import load


def prepare(config: Run) -> Job:
    """A validated config as a job: identified, nothing computed.

    Raises: UserError: a missing folder or file, or a folder of runs that cannot be written.
    """
    _check_writable(Path(config.runs))
    found = fingerprints(config)
    record = Record(Path(config.runs) / config.experiment.name / identity(scientific(config, found)))
    return Job(record, label(config), partial(compute, config, found, record), config.force)


def compute(config: Run, fingerprints: dict[str, str], record: Record, report: Report) -> dict[str, Any]:
    """Runs the experiment and leaves its record; the result is written last.

    Args:
        config: the run.
        fingerprints: of its paths, as they were when the sweep began.
        record: the run's directory.
        report: told each epoch's row.
    """
    from safetensors.torch import save

    from equivariance.experiments.compute import run
    from equivariance.resuming import resumable

    load(config.imports)
    began = time.time()
    record.start(yaml.safe_dump(config.plain(), sort_keys=False))
    with resumable(record.path, config.force):
        begin(computes=True)
        result = run(config, report)
        record.keep("checkpoint.safetensors", save({k: v.contiguous() for k, v in result.weights.items()}))
        for name, content in result.files.items():
            record.keep(name, content)
        values = {
            "label": label(config),
            "config": {
                **{k: v for k, v in config.plain().items() if k not in ("force", "runs", "tracking")},
                "fingerprints": fingerprints,
                "edition": EDITION,
            },
            "metrics": result.metrics,
            "right": result.right,
            "redrawn": result.redrawn,
            "notes": result.notes,
            "implied": implied(config),
            "sweep": config.tracking.sweep,
            "version": release(),
            "computed": circumstances(),
            "commit": commit(),
            "began": began,
            "ended": time.time(),
        }
        record.finish(result.history, values)
    return {"identity": record.identity, **values}


def follow(config: Run, record: Record) -> None:
    """What the first of several processes computes, in another of them, which writes nothing.

    Args:
        config: the run.
        record: its directory.
    """
    if not begin(computes=False):
        return
    from equivariance.experiments.compute import run
    from equivariance.resuming import following

    load(config.imports)
    with following(record.path):
        run(config)


def costs(configs: list[Run]) -> tuple[int, float]:
    """How many of the runs are certified, and the seconds that all take one after another; measured in a worker."""
    from equivariance.experiments.compute import outlook

    load([module for config in configs for module in config.imports])
    return outlook(configs)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


# What a sweep's workers import and ask.
MACHINE = Machine(("equivariance.preload",), _gpus, _threads)
NO_GPU = Machine(("equivariance.preload",), threads=_threads)


def _check_writable(runs: Path) -> None:
    try:
        there = next(p for p in (runs.absolute(), *runs.absolute().parents) if p.exists())
        if there.is_dir() and os.access(there, os.W_OK):
            return
    except OSError:  # a name too long, a folder that may not be looked into
        pass
    raise UserError(f"runs={runs}: not a folder that can be written")
