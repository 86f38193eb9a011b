"""The store made equal to the run directories."""

from __future__ import annotations

from pathlib import Path

from sweeps.records import RESULT, finished
from sweeps.tracking.mirror import Mirror


def sync(runs: Path, mirror: Mirror, experiment: str = "*") -> tuple[int, int]:
    """Makes the store show each finished run directory exactly once, as it is now, and nothing as RUNNING that is not.

    Runs whose directory is elsewhere or gone stay as they are; those whose result counts no more go.

    Args:
        runs: folder of the run directories.
        mirror: the store.
        experiment: name of one experiment; `*` for all.
    Returns: (logged now, finished in all).
    Raises: Exception: whatever MLflow raises where the store cannot be reached.
    """
    logged = total = 0
    for folder in sorted(p for p in runs.glob(experiment) if p.is_dir() and not p.name.startswith(".")):
        mirror.prepare(folder.name)
        images = mirror.images(folder.name)
        for record, result in finished(runs, folder.name):
            total += 1
            logged += mirror.renew(record, result, images.pop(record.identity, []))
        for identity, left in images.items():
            if (folder / identity / RESULT).exists():  # torn, or not finite
                mirror.drop(left)
    return logged, total
