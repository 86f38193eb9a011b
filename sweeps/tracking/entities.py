"""A result as MLflow's entities; whatever names and texts it has, the store takes them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from sweeps.identity import flat
from sweeps.plain import plain
from sweeps.records import Record

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param

# Longest name, param and tag that MLflow's database takes.
NAME, PARAM, TAG = 250, 6000, 5000
# Tags by which the mirror finds its runs again.
OURS = re.compile(r"mlflow\.|(identity|record|host|sweep|sweep\.parent)$")


def name(text: object) -> str:
    """A key that MLflow admits: letters, digits, and some signs that make no path."""
    return re.sub(r"^(?=$)|^\.+|[^\w.\- ]", "_", plain(text))[:NAME]


def tags(result: dict[str, Any]) -> dict[str, str]:
    """Notes, version and commit."""
    values = {**result["notes"], **{key: result[key] for key in ("version", "commit") if result.get(key)}}
    return {name(key): plain(value)[:TAG] for key, value in values.items() if not OURS.match(name(key))}


def params(result: dict[str, Any]) -> list[Param]:
    """The config."""
    from mlflow.entities import Param

    values = {name(key): plain(value)[:PARAM] for key, value in flat(result["config"]).items()}
    return [Param(key, value) for key, value in values.items()]


def metrics(record: Record, result: dict[str, Any], ended: int) -> list[Metric]:
    """Final and per-epoch values; MLflow's databases take finite ones only.

    Args:
        record: the run's directory.
        result: its result.
        ended: milliseconds since 1970.
    """
    from mlflow.entities import Metric

    history = record.history() if (record.path / "history.csv").exists() else []
    rows = [(0.0, result["metrics"]), *((row.pop("epoch", row.get("border", 0.0)), row) for row in history)]
    return [
        Metric(name(key), float(value), ended, int(step) if math.isfinite(step) else 0)
        for step, row in rows
        for key, value in row.items()
        if math.isfinite(value)
    ]
