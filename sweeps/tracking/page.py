"""What MLflow's page shows of a sweep: a link straight to its runs, with the columns that matter and a chart.

The page takes such a view from a tag of the experiment, under the key that stands in the link: MLflow's own way for a
view that somebody shares. It is made anew from the runs each time, and the same runs have the same key.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sweeps.experiments import EXPERIMENTS
from sweeps.general import artefact
from sweeps.identity import identity
from sweeps.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run

# Tags of MLflow's.
VIEW, NOTE = "mlflow.sharedViewState.", "mlflow.note.content"
# How a description of ours goes on after what it is; one by hand stays.
MADE = " Last made by"
# Longest value of a tag of an experiment, and of the tag by which a sweep is found.
LONGEST, TAG = 5000, 200
# Columns where the runs have them, beside the metrics that an experiment names; the rest is one click away.
TAGS = ("certified", "reason")
# Params of which no more columns are shown.
MOST = 8


def describe(store: Store, experiment: str, command: str) -> None:
    """Says on an experiment's page what it is and which command made its last runs.

    Args:
        store: of the experiment.
        experiment: its name.
        command: as typed, without secrets.
    """
    number = store.experiment(experiment)
    before = store.client.get_experiment(number).tags.get(NOTE, MADE)
    if MADE in before:
        made = f"{MADE} `{command}`; its table and figure: `python -m sweeps {experiment}`"
        store.client.set_experiment_tag(number, NOTE, (_title(experiment) + made)[:LONGEST])


def link(store: Store, base: str) -> str | None:
    """A link to the runs of the last sweep, or of the last run's experiment where it belongs to none.

    Args:
        store: of the runs; the view is kept there.
        base: address of the page.
    Returns: None: there are no runs.
    """
    last = store.last()
    if last is None:
        return None
    tags, query = last.data.tags, "tags.identity LIKE '%'"
    if "mlflow.parentRunId" in tags:
        query = f"tags.`mlflow.parentRunId` = '{tags['mlflow.parentRunId']}'"
        if len(tags["sweep"]) < TAG and not set(tags["sweep"]) & set("'\"\\"):  # the same, for people
            query = f"tags.sweep = '{tags['sweep']}'"
    experiment = store.client.get_experiment(last.info.experiment_id).name
    content = view(store.search(last.info.experiment_id, query), query, _metrics(experiment))
    key = identity(content)
    store.client.set_experiment_tag(last.info.experiment_id, VIEW + key, json.dumps(content))
    shown = urlencode({"workflowType": "machine_learning", "compareRunsMode": "TABLE", "viewStateShareKey": key})
    return f"{base.rstrip('/')}/#/experiments/{last.info.experiment_id}/runs?{shown}"


def view(runs: list[Run], query: str, telling: tuple[str, ...]) -> dict[str, Any]:
    """The state of MLflow's page for some runs: unfolded, the highest first.

    Args:
        runs: at least one.
        query: that finds them, in MLflow's filter language.
        telling: metrics that have a column where the runs have them; none: all that they have.
    """
    there = list(dict.fromkeys(m for run in runs for m in run.data.metrics))
    params, metrics = varying(runs)[:MOST], [m for m in telling if m in there] or there[:MOST]
    tags = [tag for tag in TAGS if any(tag in run.data.tags for run in runs)]
    columns = [*(f"params.`{p}`" for p in params), *(f"metrics.`{m}`" for m in metrics), *(f"tags.`{t}`" for t in tags)]
    return {
        "searchFilter": query,
        # By the time of their start the page would fold runs under their sweep.
        "orderByKey": f"metrics.`{metrics[0]}`" if metrics else "attributes.end_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": [*columns, "attributes.`Duration`"],
        "runsHiddenMode": "SHOW_ALL",
        **chart(runs, params, metrics),
    }


def varying(runs: list[Run]) -> list[str]:
    """The params in which runs differ, seed and settings of sections last; what a run is where nothing varies."""
    keys = dict.fromkeys(key for run in runs for key in run.data.params)
    values = {key: {run.data.params.get(key) for run in runs} for key in keys}
    found = [key for key in keys if len(values[key]) > 1]
    found = found or [key for key in ("arch", "conv", "border") if key in keys]
    return sorted(found, key=lambda key: ("." in key, key == "seed"))


def chart(runs: list[Run], params: list[str], metrics: list[str]) -> dict[str, Any]:
    """The first metric over the border or another number that varies, above the page's own charts of each metric."""
    numbers = [p for p in params if p != "seed" and all(_is_number(run.data.params.get(p)) for run in runs)]
    if not numbers or not metrics:
        return {}
    x, common = "border" if "border" in numbers else numbers[0], {"deleted": False, "isGenerated": False}
    axes = {"xaxis": {"key": x, "type": "PARAM"}, "yaxis": {"key": metrics[0], "type": "METRIC"}}
    points = {"uuid": "over", "type": "SCATTER", "metricSectionId": "section", "runsCountToCompare": 1000}
    section = {"uuid": "section", "name": f"{metrics[0]} over {x}", "display": True, "isReordered": True, "columns": 1}
    return {
        "compareRunCharts": [{**common, **points, **axes}],
        "compareRunSections": [{**common, **section}],
        "isAccordionReordered": True,  # otherwise the page puts its own first, by name
    }


def _title(experiment: str) -> str:
    return str(artefact(experiment).TITLE)


def _metrics(experiment: str) -> tuple[str, ...]:
    return EXPERIMENTS.get(experiment).metrics if experiment in EXPERIMENTS.names() else ()


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False
