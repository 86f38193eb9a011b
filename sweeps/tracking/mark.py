"""What a run directory knows of its images: for each store which run is the image, and of which result."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from typing import Any

from sweeps.claim import claim
from sweeps.records import Record
from sweeps.tracking.store import Store

FILE = "mlflow.json"


class Mark:
    """The mark of one store in a run's directory.

    It is a note and costs nothing to lose: `python -m sweeps sync` does not believe it.

    Args:
        record: the directory.
        store: the store.
    """

    def __init__(self, record: Record, store: Store) -> None:
        self._path = record.path / FILE
        # Of a database that is a file the way to it, which is still right when both have been moved together.
        self._key = os.path.relpath(store.file, record.path.absolute()) if store.file else store.uri

    @property
    def run(self) -> str | None:
        """The number of the image in the store, which may be half made."""
        return self._all().get(self._key, {}).get("run")

    @property
    def ended(self) -> int | None:
        """The end of the computation whose result has been logged wholly, in ms since 1970."""
        return self._all().get(self._key, {}).get("ended")

    def claim(self) -> AbstractContextManager[bool]:
        """Waits until nobody else logs the directory."""
        return claim(self._path, wait=True)

    def set(self, run: str, ended: int | None) -> None:
        """Names the image; only under the claim.

        In place, because the file is the claim (a renamed one would be another file), and never shorter than before, so
        that it is whole whenever a kill falls.
        """
        text = json.dumps({**self._all(), self._key: {"run": run, "ended": ended}})
        with self._path.open("r+") as file:
            file.write(text.ljust(self._path.stat().st_size))

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
