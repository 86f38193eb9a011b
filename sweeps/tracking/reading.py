"""Runs as the store has them, with the types that they were recorded with: MLflow's own params are all text."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from sweeps.identity import flat
from sweeps.records import RESULT
from sweeps.tables import NULL
from sweeps.terminal import track

if TYPE_CHECKING:
    import pandas
    from mlflow import MlflowClient
    from mlflow.entities import Run


def frame(runs: list[Run], client: MlflowClient) -> tuple[pandas.DataFrame, list[Run]]:
    """A row a run, and the runs without a result.

    A row has run_id, tags.*, params.* and metrics.* of its result, `right`, `redrawn` and `implied`.
    Of several images of one run the one that ended last counts.

    Args:
        runs: finished.
        client: of their store.
    Raises: Exception: whatever MLflow raises where the store cannot be reached.
    """
    newest = {run.data.tags["identity"]: run for run in sorted(runs, key=lambda run: run.info.end_time)}
    found = [(run, _row(run, file(run, RESULT, client))) for run in track(newest.values(), len(newest), "reading runs")]
    return _typed([row for _, row in found if row]), [run for run, row in found if not row]


def _typed(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    """The rows with params as they were recorded: where some runs lack one, pandas would make 8 of others 8.0.

    What is null is a value of its own, the text "null"; a run that has no such setting has none, NaN. Of what a setting
    holds within (arch.kwargs.width), "-": that there is none is told, too.
    """
    import pandas as pd

    table = pd.DataFrame(rows)
    params = [column for column in map(str, table) if column.startswith("params.") and table[column].isna().any()]
    held = [frozenset(ancestor for key in row for ancestor in (key, key.rpartition(".")[0])) for row in rows]
    for column in params:
        around = {column} | ({column.rpartition(".")[0]} if column.count(".") > 2 else set())
        absent = ["-" if around & own else float("nan") for own in held]
        values = [row.get(column, none) for row, none in zip(rows, absent, strict=True)]
        table[column] = pd.Series([NULL if v is None else v for v in values], table.index, object)
    return table


def file(run: Run, name: str, client: MlflowClient) -> bytes | None:
    """An artifact of a run; None: it has none of that name.

    Raises: Exception: whatever MLflow raises where the store cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    place = urlsplit(run.info.artifact_uri)
    try:
        if place.scheme in ("", "file"):  # at once: the client would copy it
            return (Path(unquote(place.path)) / name).read_bytes()
        with TemporaryDirectory() as folder:
            return Path(client.download_artifacts(run.info.run_id, name, folder)).read_bytes()
    except FileNotFoundError:
        return None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _row(run: Run, content: bytes | None) -> dict[str, Any]:
    try:
        result = json.loads(content or b"")
        config = json.loads(json.dumps(result["config"]), object_hook=lambda section: section or None)
        values = flat(config or {})  # an empty section within is null
        numbers = {key: float(value) for key, value in result["metrics"].items()}
    except (ValueError, TypeError, KeyError):  # of an earlier version, or not whole
        return {}
    return {
        "run_id": run.info.run_id,
        **{f"tags.{key}": value for key, value in run.data.tags.items()},
        **{f"params.{key}": value for key, value in values.items()},
        **{f"metrics.{key}": value for key, value in numbers.items()},
        "right": result.get("right"),
        "redrawn": result.get("redrawn"),
        "implied": result.get("implied"),
    }
