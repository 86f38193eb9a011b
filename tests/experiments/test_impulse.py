"""The table of the impulse figure, exactly."""

import csv
import io

import pytest
import torch

from equivariance.experiments.impulse import run as impulse

# Science 3: largest response to the pixel at the upper left, at the bottom right; partial follows from its equation.
SIDES = {"valid": 3, "same": 5, "circular": 5, "replicate": 5, "reflect": 5, "partial": 5, "full": 7, "unbounded": 7}
TABLE = {
    "bottom-right": dict.fromkeys(("valid", "same", "replicate", "reflect", "partial"), (0, 1))
    | dict.fromkeys(("circular", "full", "unbounded"), (1, 1)),
    "top-left": dict.fromkeys(("valid", "same", "replicate", "reflect", "partial"), (1, 0))
    | dict.fromkeys(("circular", "full", "unbounded"), (1, 1)),
    "centre": dict.fromkeys(("same", "circular", "replicate", "reflect", "full", "unbounded"), (1, 1))
    | {"valid": (0, 0), "partial": (2.25, 2.25)},  # 9 taps, 4 of them inside at a corner
}
CELLS = [(tap, conv, *both) for tap, line in TABLE.items() for conv, both in line.items()]


@pytest.mark.parametrize(("tap", "conv", "one", "two"), CELLS)
def test_the_largest_responses_are_those_of_the_table(config, tap, conv, one, two):
    result = impulse.run(config("experiment=impulse", f"conv={conv}", f"experiment.tap={tap}"), torch.device("cpu"))
    assert (result.metrics["class_1"], result.metrics["class_2"]) == (one, two)
    assert result.metrics["accuracy"] == (0.5 if one == two else 1.0)
    assert result.metrics["side"] == SIDES[conv]


def test_the_maps_are_kept_for_the_picture(config):
    result = impulse.run(config("experiment=impulse", "conv=full"), torch.device("cpu"))
    rows = list(csv.DictReader(io.StringIO(result.files["maps.csv"].decode())))
    found = [tuple(int(r[k]) for k in ("class", "row", "column", "value")) for r in rows]
    assert found == [(1, 0, 0, 1), (2, 4, 4, 1)]  # the tap at the bottom right sees a pixel two places before it


def test_larger_filters_leak_over_more_taps(config):
    result = impulse.run(config("experiment=impulse", "experiment.kernel=5", "data.side=9"), torch.device("cpu"))
    assert (result.metrics["class_1"], result.metrics["class_2"]) == (0, 1)
