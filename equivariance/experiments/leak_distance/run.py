"""Leak distance: the largest border at which a network can still tell where the picture lies, found by bisection.

Source: the question is Kayhan & van Gemert's (2020, section 3.1); the search and its test are this project's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance.data.quadrant import Quadrant
from equivariance.decoding import Decoding, decode, search
from equivariance.engine import pooled
from equivariance.experiments.location.estimate import seconds
from equivariance.experiments.location.learning import Fitted, learn, load, network
from equivariance.experiments.location.structure import place, structure
from equivariance.experiments.result import Result
from equivariance.models import Classifier, check_checkpoint
from equivariance.train import Report, Row, unheard

if TYPE_CHECKING:
    from equivariance.experiments.leak_distance.config import LeakDistanceRun


def run(config: LeakDistanceRun, device: torch.device, report: Report = unheard) -> Result:
    """Searches between border 0 and the border from which on theory rules a leak out.

    Every border is the quadrant experiment with the same network, pictures and fit, and is decodable where the exact
    test of `Decoding.low` says so. Each such verdict has the stated confidence; all together do not.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: not used: a border's epochs say nothing about the next one's.
    Returns: `leak_distance`, the largest border in pixels shown to be decodable, and `not_decodable`, the lowest
        above it that was not (absent where the limit itself is decodable): the distance lies from the one to below the
        other. Both are 0 where nothing is decodable. `bound`, theory's (absent where it has none); `accuracy` at the
        leak distance; `n` test images; `evaluations`, borders tried. The history has a row a border tried, with the
        lower bound of its accuracy.
    Raises: UserError: pictures or weights that cannot be had, also where they would not be needed. NotFinite: the run
        shows nothing.
    """
    experiment, bare, theory = config.experiment, place(config), structure(config)
    limit = theory.bound(bare)
    known = {"n": 2.0 * config.data.pictures} | ({} if limit is None else {"bound": float(limit)})
    if limit == 0:
        check_checkpoint(config.arch, config.init)
        nothing = {"leak_distance": 0.0, "not_decodable": 0.0, "evaluations": 0.0, "accuracy": 0.5}
        return Result(nothing | known, [], {}, {"certified": "yes"})
    pictures, notes = load(config, device)
    start = network(config, bare, device, pictures["train"])
    rows: list[Row] = []
    right: dict[str, list[str]] = {}

    def decodable(border: int) -> bool:
        here = bare.at(border)
        found = Decoding(0, 0, config.data.pictures, ["1" * config.data.pictures, "0" * config.data.pictures])
        if not theory.certified(here):  # below the bound, too, a border can be: its phase decides
            model = copy.deepcopy(start)
            found = _decoding(config, here, model, pictures, learn(config, here, model, pictures))
        low = found.low(experiment.confidence)
        right[str(border)] = found.told
        rows.append({"border": float(border), "test_accuracy": found.accuracy, "test_accuracy_low": low})
        rows[-1]["decodable"] = float(low > 0.5)
        return low > 0.5

    largest, lowest = search(decodable, limit, experiment.resolution, experiment.limit)
    metrics = {"leak_distance": float(largest), **known, "evaluations": float(len(rows))}
    metrics |= {} if lowest is None else {"not_decodable": float(lowest)}
    metrics["accuracy"] = next(r["test_accuracy"] for r in rows if r["border"] == metrics["leak_distance"])
    return Result(metrics, rows, {}, notes, right=right)


def outlook(configs: Sequence[LeakDistanceRun], device: torch.device) -> tuple[int, float]:
    """How many of some runs are certified at every border, and about how many seconds the others take."""
    tried = [[c for c in expected(config) if not structure(c).certified(place(c))] for config in configs]
    return sum(not borders for borders in tried), seconds([c for borders in tried for c in borders], device)


def expected(config: LeakDistanceRun) -> list[LeakDistanceRun]:
    """The run at each border that the search tries if all of them are decodable: what it will cost."""
    found = []

    def decodable(border: int) -> bool:
        found.append(config.model_copy(update={"border": border}))
        return True

    bound = structure(config).bound(place(config))
    search(decodable, bound, config.experiment.resolution, config.experiment.limit)
    return found


def _decoding(
    config: LeakDistanceRun, task: Quadrant, model: Classifier, pictures: dict[str, Tensor], fitted: Fitted
) -> Decoding:
    """Test pictures at both places, by a model that has been fitted."""
    test = fitted.examples["test"]
    if config.init.fixed:
        features = test.inputs(torch.arange(len(test), device=test.labels.device))
    else:
        features = pooled(model.eval(), task, pictures["test"], fitted.engine, "test features")
    return decode(model.head, features, config.tolerance)
