"""MLflow as a mirror of the run directories: where people look; rebuilt by `python -m sweeps sync`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.claim import free
from sweeps.plain import plain
from sweeps.records import CLAIM, Record
from sweeps.terminal import complain
from sweeps.tracking import entities
from sweeps.tracking.entities import NAME, TAG
from sweeps.tracking.mark import FILE, Mark
from sweeps.tracking.page import describe
from sweeps.tracking.store import Store

if TYPE_CHECKING:
    import pandas
    from mlflow.entities import Run

# What of a run's directory MLflow does not keep as artifacts, beside hidden files: weights are large, logs local.
LOCAL = (".safetensors", ".log")


class Mirror:
    """The images of run directories in one MLflow store.

    An image is FINISHED only after the mark in the directory names it: whenever a process is killed, the next to log
    the directory finds what it left.

    Args:
        uri: a server or database; None: mlflow.db in the working folder.
        command: that makes the runs, for their experiment's description.
    """

    def __init__(self, uri: str | None, command: str | None = None) -> None:
        self._store, self._command = Store(uri), command
        self._lost = self._store.file is not None and not self._store.file.exists()
        self._ready: set[str] = set()
        self._begun: dict[Path, str] = {}

    @property
    def uri(self) -> str:
        """The store's address, for people."""
        return self._store.uri

    def prepare(self, experiment: str) -> None:
        """Connects, makes schema and experiment where they are missing, and ends as KILLED the runs that a kill left.

        Raises: Exception: whatever MLflow raises where the store cannot be reached; so do the other methods.
        """
        if experiment not in self._ready:
            for run in self._store.runs(experiment, "attributes.status = 'RUNNING'"):
                self._settle(run)
            if self._command:
                describe(self._store, experiment, self._command)
            self._ready.add(experiment)

    def mirrored(self, record: Record, result: dict[str, Any]) -> bool:
        """Whether the directory's mark says that this result has been logged; asks nobody."""
        return not self._lost and Mark(record, self._store).ended == _milliseconds(result["ended"])

    def begin(self, record: Record, label: str, sweep: str | None, began: float) -> None:
        """Shows a run as RUNNING.

        Args:
            record: its directory.
            label: its name in MLflow.
            sweep: name of the sweep under which it is grouped.
            began: seconds since 1970.
        """
        self.prepare(record.experiment)
        if record.path not in self._begun:
            self._begun[record.path] = self._create(record, label, sweep, began, {})

    def log(self, record: Record, result: dict[str, Any], sweep: str | None, trust: bool = True) -> None:
        """Shows a result; in place of the image of an earlier one.

        Args:
            record: the run's directory.
            result: its result.
            sweep: name of the sweep under which it is grouped.
            trust: believe the mark in the directory; otherwise the store is asked.
        """
        self.prepare(record.experiment)  # not below: it claims directories too
        ended, mark = _milliseconds(result["ended"]), Mark(record, self._store)
        with mark.claim():  # another sweep may be logging it
            begun, image = self._begun.pop(record.path, None), mark.run
            trust = trust and not self._lost
            if image and mark.ended == ended and (trust or self._store.status(image) == "FINISHED"):
                if begun:
                    self._store.delete(begun)
                return
            if image:  # of an earlier result, or half made
                self._store.delete(image)
            run = self._write(record, result, sweep, begun)
            mark.set(run, None)
            self._store.client.set_terminated(run, "FINISHED", ended)
            mark.set(run, ended)

    def end(self, record: Record, status: str, reason: str) -> None:
        """Ends a run that was begun without a result.

        Args:
            record: its directory.
            status: FAILED or KILLED.
            reason: one line, shown as a tag.
        """
        run = self._begun.pop(record.path, None)
        if run:
            self._store.client.set_tag(run, "reason", plain(reason)[:TAG])
            self._store.client.set_terminated(run, status)

    def names(self) -> list[str]:
        """The experiments that the store has; a store that is not there yet has none, and is not made."""
        if self._store.file is not None and not self._store.file.exists():
            return []
        return [e.name for e in self._store.client.search_experiments()]

    def read(self, experiment: str) -> pandas.DataFrame:
        """The finished runs of an experiment, see `reading.frame`.

        Those of which the store has no result, as of an earlier version, are logged anew where their directory is here;
        how many are left out is said.
        """
        frame, bare = self._store.read(experiment)
        if sum(map(self._again, bare)):
            frame, bare = self._store.read(experiment)
        if bare:
            complain(f"left out: {len(bare)} runs of which {self.uri} has no result")
        return frame

    def _again(self, run: Run) -> bool:
        """Logs a run anew; False: its directory is elsewhere."""
        record = Record(Path(run.data.tags.get("record", "")))
        result = record.result()
        if result is not None:
            self.drop([run])
            self.log(record, result, result.get("sweep"), trust=False)
        return result is not None

    def artifact(self, run: str, name: str) -> bytes | None:
        """An artifact of a run; None: it has none of that name."""
        return self._store.artifact(run, name)

    def images(self, experiment: str) -> dict[str, list[Run]]:
        """The finished runs in the store by identity."""
        found: dict[str, list[Run]] = {}
        for run in self._store.runs(experiment, "attributes.status = 'FINISHED'"):
            if "identity" in run.data.tags:
                found.setdefault(run.data.tags["identity"], []).append(run)
        return found

    def renew(self, record: Record, result: dict[str, Any], images: list[Run]) -> bool:
        """Leaves exactly one image of a result.

        Args:
            record: the run's directory.
            result: its result.
            images: of this identity in the store.
        Returns: whether it had to be logged.
        """
        ended, mark = _milliseconds(result["ended"]), Mark(record, self._store)
        current = [run.info.run_id for run in images if run.info.end_time == ended]
        self.drop([run for run in images if run.info.run_id not in current[:1]])
        if not current:
            self.log(record, result, result.get("sweep"), trust=False)
        elif (mark.run, mark.ended) != (current[0], ended):
            with mark.claim():
                mark.set(current[0], ended)
        return not current

    def drop(self, images: list[Run]) -> None:
        """Deletes runs of the store."""
        for run in images:
            self._store.delete(run.info.run_id)

    def _create(self, record: Record, label: str, sweep: str | None, began: float, notes: dict[str, str]) -> str:
        tags = {
            **notes,
            "identity": record.identity,
            "record": str(record.path.absolute()),
            "host": socket.gethostname(),
            "mlflow.runName": plain(label)[:NAME] or record.identity,
        }
        if sweep:
            group = plain(sweep)[:TAG]
            tags |= {"sweep": group, "mlflow.parentRunId": self._store.sweep(record.experiment, group)}
        experiment = self._store.experiment(record.experiment)
        return self._store.client.create_run(experiment, _milliseconds(began), tags).info.run_id

    def _write(self, record: Record, result: dict[str, Any], sweep: str | None, begun: str | None) -> str:
        """Everything but the end, in as few transactions as MLflow allows; tags are cheapest when a run is made."""
        from mlflow.entities import RunTag

        notes = entities.tags(result)
        run = begun or self._create(record, result["label"], sweep, result["began"], notes)
        values = entities.metrics(record, result, _milliseconds(result["ended"]))
        tags = [RunTag(k, v) for k, v in notes.items()] if begun else []
        self._store.client.log_batch(run, values, entities.params(result), tags)
        for path in sorted(record.path.iterdir()):
            if path.is_file() and path.name != FILE and path.suffix not in LOCAL and not path.name.startswith("."):
                self._store.client.log_artifact(run, str(path))
        return run

    def _settle(self, run: Run) -> None:
        """Ends a run that is RUNNING in the store, unless somebody computes or logs it."""
        tags, client = run.data.tags, self._store.client
        if "sweep.parent" in tags:
            client.set_terminated(run.info.run_id)
        if "record" not in tags:  # not ours
            return
        record = Record(Path(tags["record"]))
        if not record.path.is_dir():
            if tags.get("host") == socket.gethostname():  # on another machine it may be there
                client.set_terminated(run.info.run_id, "KILLED")
            return
        with Mark(record, self._store).claim():
            if free(record.path / CLAIM) and self._store.status(run.info.run_id) == "RUNNING":
                client.set_terminated(run.info.run_id, "KILLED")


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
