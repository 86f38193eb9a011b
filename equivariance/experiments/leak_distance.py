"""Leak distance: the largest border at which a network can still tell where the picture lies, found by bisection.

Source: the question is Kayhan & van Gemert's (2020, section 3.1); the search and its test are this project's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivariance.experiments.decoding import Decoding, decode
from equivariance.experiments.features import pooled
from equivariance.experiments.quadrant import Fitted, learn, load, network
from equivariance.experiments.result import Result
from equivariance.experiments.structure import bound, certified, place
from equivariance.models import Classifier, check_checkpoint
from equivariance.train import Report, Row, unheard

if TYPE_CHECKING:
    from equivariance.config_kinds import LeakDistanceConfig as Config


def run(config: Config, device: torch.device, report: Report = unheard) -> Result:
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
    experiment, limit = config.experiment, bound(config)
    known = {"n": 2.0 * config.data.pictures} | ({} if limit is None else {"bound": float(limit)})
    if limit == 0:
        check_checkpoint(config.arch, config.init)
        nothing = {"leak_distance": 0.0, "not_decodable": 0.0, "evaluations": 0.0, "accuracy": 0.5}
        return Result(nothing | known, [], {}, {"certified": "yes"})
    pictures, notes = load(config, device)
    start = network(config, device, pictures["train"])
    rows: list[Row] = []
    right: dict[str, list[str]] = {}

    def decodable(border: int) -> bool:
        here = config.model_copy(update={"border": border})
        found = Decoding(0, 0, config.data.pictures, ["1" * config.data.pictures, "0" * config.data.pictures])
        if not certified(here):  # below the bound, too, a border can be: its phase decides
            model = copy.deepcopy(start)
            found = _decoding(here, model, pictures, learn(here, model, pictures))
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


def search(decodable: Callable[[int], bool], bound: int | None, resolution: int, limit: int) -> tuple[int, int | None]:
    """Bisection over the multiples of the resolution, taking for granted that a leak ends once and for all.

    Args:
        decodable: tries one border.
        bound: in pixels; nothing is decodable from it on, and it is never tried. None: not known.
        resolution: pixels.
        limit: pixels; the largest border tried where there is no bound.
    Returns: The largest border found decodable, and the lowest above it known not to be, or None; (0, 0) if none is.
    """
    if bound == 0 or not decodable(0):
        return 0, 0
    low, high = 0, limit // resolution if bound is None else -(-bound // resolution)
    if bound is None and (high == 0 or decodable(high * resolution)):
        return high * resolution, None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if decodable(middle * resolution) else (low, middle)
    return low * resolution, high * resolution if bound is None else min(high * resolution, bound)


def expected(config: Config) -> list[Config]:
    """The run at each border that the search tries if all of them are decodable: what it will cost."""
    found = []

    def decodable(border: int) -> bool:
        found.append(config.model_copy(update={"border": border}))
        return True

    search(decodable, bound(config), config.experiment.resolution, config.experiment.limit)
    return found


def _decoding(config: Config, model: Classifier, pictures: dict[str, Tensor], fitted: Fitted) -> Decoding:
    """Test pictures at both places, by a model that has been fitted."""
    test = fitted.examples["test"]
    if config.init.fixed:
        features = test.inputs(torch.arange(len(test), device=test.labels.device))
    else:
        features = pooled(model.eval(), place(config), pictures["test"], fitted.engine, "test features")
    return decode(model.head, features, config.tolerance)
