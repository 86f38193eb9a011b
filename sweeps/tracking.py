"""MLflow as a mirror of the run directories: where people look; rebuilt by `python -m sweeps sync`."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.identity import flat
from sweeps.records import MIRRORED, Record, finished, write

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient

# A dead server is given up after this many seconds a request and one retry, instead of MLflow's minutes.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
# Files of a run that MLflow shows as artifacts.
ARTIFACTS = ("config.yaml", "history.csv")


class Mirror:
    """A connection to one MLflow store.

    Args:
        uri: a server or store; None: mlflow.db in the working folder, MLflow's own default.
    """

    def __init__(self, uri: str | None) -> None:
        self.uri = uri or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}
        self._parents: dict[tuple[str, str], str] = {}

    def prepare(self, experiment: str) -> None:
        """Connects, and makes the store's schema and the experiment where they are missing.

        Eight fresh writers on one new SQLite file fail otherwise, so a sweep's parent calls this before any worker.

        Raises: Exception: whatever MLflow raises where the store cannot be reached.
        """
        self._experiment(experiment)

    def mirrored(self, record: Record) -> str | None:
        """The number of the run in this store, by a mark in its directory; None: not logged since it was computed."""
        try:
            mark = json.loads((record.path / MIRRORED).read_bytes())
            return mark["run"] if mark["uri"] == self.uri else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def log(self, record: Record, result: dict[str, Any], sweep: str | None) -> None:
        """Logs a finished run in one batch and marks its directory.

        Args:
            record: the run's directory.
            result: its result.
            sweep: name of the sweep under which it is grouped.
        Raises: Exception: whatever MLflow raises where the store cannot be reached.
        """
        from mlflow.entities import Metric, Param, RunTag

        experiment = self._experiment(record.experiment)
        client = self._connect()
        began, ended = (round(1000 * result[k]) for k in ("began", "ended"))
        tags = {"identity": record.identity, "mlflow.runName": result["label"], **result["notes"]}
        tags |= {"commit": result["commit"]} if result.get("commit") else {}
        if sweep:
            tags |= {"sweep": sweep, "mlflow.parentRunId": self._parent(record.experiment, sweep)}
        for old in client.search_runs([experiment], f"tags.identity = '{record.identity}'"):
            client.delete_run(old.info.run_id)  # a run made anew replaces its mirror image
        run = client.create_run(experiment, start_time=began).info.run_id
        metrics = [Metric(k, v, ended, 0) for k, v in result["metrics"].items() if math.isfinite(v)]
        for row in record.history():
            step = int(row.pop("epoch", 0))
            metrics += [Metric(k, v, ended, step) for k, v in row.items() if math.isfinite(v)]
        params = [Param(k, str(v)) for k, v in flat(result["config"]).items()]
        client.log_batch(run, metrics[:900], params[:100], [RunTag(k, str(v)) for k, v in tags.items()])
        for start in range(900, len(metrics), 900):
            client.log_batch(run, metrics[start : start + 900])
        for name in ARTIFACTS:
            client.log_artifact(run, str(record.path / name))
        client.set_terminated(run, "FINISHED", ended)
        write(record.path / MIRRORED, json.dumps({"uri": self.uri, "run": run}).encode())

    def read(self, experiment: str) -> pandas.DataFrame:
        """The finished runs of an experiment, as `mlflow.search_runs` gives them: params.*, metrics.*, tags.*."""
        self._experiment(experiment)
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        frame = mlflow.search_runs(experiment_names=[experiment], filter_string="attributes.status = 'FINISHED'")
        assert not isinstance(frame, list)
        return frame[frame["tags.identity"].notna()] if "tags.identity" in frame else frame.iloc[:0]

    def _connect(self) -> MlflowClient:
        if self._client is None:
            for name, value in PATIENCE.items():
                os.environ.setdefault(name, value)
            import logging

            from mlflow import MlflowClient

            for name in ("alembic", "mlflow"):  # which tell of every table they make
                logging.getLogger(name).setLevel(logging.WARNING)
            self._client = MlflowClient(self.uri)
        return self._client

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            client = self._connect()
            found = client.get_experiment_by_name(name)
            self._experiments[name] = found.experiment_id if found else client.create_experiment(name)
            if not found:  # the UI otherwise opens in its view for language models
                client.set_experiment_tag(self._experiments[name], "mlflow.experimentKind", "custom_model_development")
        return self._experiments[name]

    def _parent(self, experiment: str, sweep: str) -> str:
        """The run that stands for a sweep; made where it is missing."""
        key = (experiment, sweep)
        if key not in self._parents:
            client, number = self._connect(), self._experiment(experiment)
            sweep = sweep.replace("'", "")  # which MLflow's filter cannot quote
            query = f"tags.`sweep.parent` = '{sweep}'"
            found = client.search_runs([number], query, max_results=1)
            if found:
                self._parents[key] = found[0].info.run_id
            else:
                tags = {"sweep.parent": sweep, "mlflow.runName": f"sweep {sweep}"}
                run = client.create_run(number, tags=tags).info.run_id
                client.set_terminated(run, "FINISHED")
                self._parents[key] = run
        return self._parents[key]


def sync(runs: Path, mirror: Mirror, experiment: str = "*") -> tuple[int, int]:
    """Logs every finished run that the store lacks, and every one that was made anew since it was logged.

    Args:
        runs: folder of the run directories.
        mirror: the store.
        experiment: name of one experiment; `*` for all.
    Returns: (logged now, finished in all).
    Raises: Exception: whatever MLflow raises where the store cannot be reached.
    """
    logged = total = 0
    present: dict[str, set[str]] = {}
    for record, result in finished(runs, experiment):
        total += 1
        if record.experiment not in present:
            frame = mirror.read(record.experiment)
            present[record.experiment] = set(frame["run_id"]) if len(frame) else set()
        if mirror.mirrored(record) not in present[record.experiment]:
            mirror.log(record, result, result.get("sweep"))
            logged += 1
    return logged, total
