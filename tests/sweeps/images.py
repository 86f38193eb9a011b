"""What a store holds, read from its tables, and what it should hold, read from the run directories."""

import csv
import json
import math
import sqlite3
from collections import defaultdict
from pathlib import Path


def shown(database: Path) -> dict[str, list[dict]]:
    """For each identity its finished runs with params, final and per-epoch metrics as (step, value)."""
    found = defaultdict(list)
    for run in ids(database, "FINISHED"):
        tags, params, metrics = {}, {}, defaultdict(set)
        with sqlite3.connect(database) as base:
            tags |= base.execute("select key, value from tags where run_uuid = ?", (run,)).fetchall()
            params |= base.execute("select key, value from params where run_uuid = ?", (run,)).fetchall()
            for key, step, value in base.execute("select key, step, value from metrics where run_uuid = ?", (run,)):
                metrics[key].add((step, value))
        if "identity" in tags:
            found[tags["identity"]].append({"params": params, "metrics": dict(metrics)})
    return dict(found)


def ids(database: Path, status: str) -> list[str]:
    """The runs of a status that have not been deleted."""
    query = "select run_uuid from runs where status = ? and lifecycle_stage = 'active' order by start_time"
    with sqlite3.connect(database) as base:
        return [run for (run,) in base.execute(query, (status,))]


def expected(runs: Path) -> dict[str, list[dict]]:
    """The same of each run directory with a result: exactly one image."""
    return {p.parent.name: [_expected(p)] for p in runs.glob("*/*/result.json")}


def _expected(path: Path) -> dict:
    result = json.loads(path.read_text())
    params = {}
    for key, value in result["config"].items():
        if isinstance(value, dict):
            params |= {key if k == "name" else f"{key}.{k}": str(v) for k, v in value.items()}
        else:
            params[key] = str(value)
    metrics = defaultdict(set)
    for key, value in result["metrics"].items():
        if math.isfinite(value):
            metrics[key].add((0, value))
    with (path.parent / "history.csv").open() as file:
        for row in csv.DictReader(file):
            for key in row.keys() - {"epoch"}:
                metrics[key].add((int(float(row["epoch"])), float(row[key])))
    return {"params": params, "metrics": dict(metrics)}
