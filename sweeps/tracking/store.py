"""One MLflow store, reached within bounds: its connection, experiments, sweeps and runs."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.addresses import opened, seal
from sweeps.claim import claim
from sweeps.tracking import reading

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

# Where the user has not said otherwise: a server that is dead or slow is given up after this many seconds a request and
# one retry, instead of MLflow's minutes; and MLflow does not print a line a run.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# What MLflow answers about a run that is gone, or has been deleted before.
GONE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
# Names the store of commands that name none.
VARIABLE = "MLFLOW_TRACKING_URI"


def failures() -> tuple[type[Exception], ...]:
    """What is raised where a store cannot be reached or read, or the driver of its database is not installed.

    A function, since it imports MLflow: an `except` clause calls it after a failure only.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError
    from urllib3.exceptions import HTTPError

    return MlflowException, RequestException, SQLAlchemyError, HTTPError, ImportError


class Store:
    """A connection, made when it is first needed.

    Args:
        uri: a server or database; None: what the variable MLFLOW_TRACKING_URI names, else mlflow.db in the working
            folder, which is MLflow's own default.
    """

    def __init__(self, uri: str | None) -> None:
        #: Its address without secrets, for people and for what is kept.
        self.uri = seal(uri or os.environ.get(VARIABLE) or f"sqlite:///{Path.cwd() / 'mlflow.db'}")
        self._uri = opened(self.uri)
        self._experiments: dict[str, str] = {}
        self._sweeps: dict[tuple[str, str], str] = {}

    @property
    def is_server(self) -> bool:
        """Whether it is a server, which has a page of its own."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that serves it, whose command line would be read by everybody."""
        return {**os.environ, "MLFLOW_BACKEND_STORE_URI": self._uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    @property
    def file(self) -> Path | None:
        """The database, where it is a file."""
        name, found = re.subn(r"^sqlite:///([^?]+).*", r"\1", self._uri)
        return Path(name).absolute() if found else None

    @cached_property
    def client(self) -> MlflowClient:
        """The connection; makes the schema where it is missing.

        Processes that make it at the same time in one new file fail, so that they come one after another here.

        Raises: Exception: whatever MLflow raises where the store cannot be reached.
        """
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        import logging

        from mlflow import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)  # which tells of every table it makes
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # its failures are raised too, and told in one line
        alone = claim(self.file.with_name(f"{self.file.name}.claim"), wait=True) if self.file else nullcontext(True)
        with alone:
            fresh = self.file is not None and not self.file.exists()
            try:
                return MlflowClient(self._uri)
            except BaseException:
                if fresh and self.file:  # half a schema, as a full disk leaves it, could never be finished
                    self.file.unlink(missing_ok=True)
                raise

    def experiment(self, name: str) -> str:
        """The number of an experiment; made where it is missing."""
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name) or self._new_experiment(name)
            if found.lifecycle_stage == "deleted":  # by hand; its name cannot be taken again
                self.client.restore_experiment(found.experiment_id)
            self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def sweep(self, experiment: str, name: str) -> str:
        """The run under which MLflow shows those of a sweep; made where it is missing."""
        key = (experiment, name.replace("'", ""))  # which MLflow's filter cannot quote
        if key not in self._sweeps:
            found = self.runs(experiment, f"tags.`sweep.parent` = '{key[1]}'")
            if found:
                self._sweeps[key] = found[0].info.run_id
            else:
                tags = {"sweep.parent": key[1], "mlflow.runName": f"sweep {key[1]}"[:250]}
                run = self.client.create_run(self.experiment(experiment), tags=tags).info.run_id
                self.client.set_terminated(run)
                self._sweeps[key] = run
        return self._sweeps[key]

    def runs(self, experiment: str, query: str) -> list[Run]:
        """All runs of an experiment that meet a query in MLflow's filter language."""
        return self.search(self.experiment(experiment), query)

    def last(self) -> Run | None:
        """The run that began last, of ours in any experiment."""
        numbers = [e.experiment_id for e in self.client.search_experiments()]
        newest = self.client.search_runs(numbers, "tags.identity LIKE '%'", order_by=["start_time DESC"], max_results=1)
        return newest[0] if newest else None

    def search(self, number: str, query: str) -> list[Run]:
        """The same by the number of the experiment."""
        search = partial(self.client.search_runs, [number], query)
        page = search()
        found = list(page)
        while page.token:
            page = search(page_token=page.token)
            found += page
        return found

    def read(self, experiment: str) -> tuple[pandas.DataFrame, list[Run]]:
        """The finished runs of an experiment, and those without a result, see `reading.frame`."""
        found = self.runs(experiment, "attributes.status = 'FINISHED'")
        return reading.frame([run for run in found if "identity" in run.data.tags], self.client)

    def artifact(self, run: str, name: str) -> bytes | None:
        """An artifact of a run; None: it has none of that name."""
        return reading.file(self.client.get_run(run), name, self.client)

    def status(self, run: str) -> str | None:
        """RUNNING, FINISHED, FAILED or KILLED; None: there is no such run, or it has been deleted."""
        from mlflow.exceptions import MlflowException

        try:
            info = self.client.get_run(run).info
        except MlflowException as error:
            if error.error_code not in GONE:
                raise
            return None
        return info.status if info.lifecycle_stage == "active" else None

    def delete(self, run: str) -> None:
        """Deletes a run, if it is still there."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.delete_run(run)
        except MlflowException as error:
            if error.error_code not in GONE:
                raise

    def _new_experiment(self, name: str) -> Experiment:
        from mlflow.exceptions import MlflowException

        try:  # the tag: the web pages otherwise open in their view for language models
            self.client.create_experiment(name, tags={"mlflow.experimentKind": "custom_model_development"})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process has just made it
                raise
        made = self.client.get_experiment_by_name(name)
        assert made is not None
        return made
