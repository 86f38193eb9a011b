"""What an experiment of one's own may give, and that none of its words ends a sweep."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from equivariance.errors import UserError
from equivariance.experiments import Result, compute
from sweeps.experiments import EXPERIMENTS, headline, label


def fails(*given):
    raise ZeroDivisionError


@pytest.fixture
def computed(config, monkeypatch):
    def compute_it(result):
        experiment = replace(EXPERIMENTS.get("quadrant"), run=lambda config, device, report: result)
        monkeypatch.setitem(EXPERIMENTS._known, "quadrant", experiment)
        return compute.run(config("device=cpu"))

    return compute_it


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "experiment=quadrant: gives NoneType"),
        (Result({"change": "much"}, [], {}), "metrics: change is str"),
        (Result({}, [{"loss": None}], {}), "loss is NoneType in row 1 of the history"),
        (Result({}, [], {}, files={"../other": b""}), r"files: \.\./other"),
        (Result({}, [], {}, files={"..": b""}), r"files: \.\."),
    ],
)
def test_what_is_no_result_fails_in_one_line(computed, result, said):
    with pytest.raises(UserError, match=said) as caught:
        computed(result)
    assert "\n" not in str(caught.value)


def test_a_label_or_headline_that_fails_is_replaced(config, monkeypatch):
    wordless = replace(EXPERIMENTS.get("quadrant"), label=fails, headline=fails)
    monkeypatch.setitem(EXPERIMENTS._known, "quadrant", wordless)
    assert label(config("seed=3")).endswith("seed=3")
    assert headline("quadrant", {"metrics": {"change": 0.5, "kind": "text"}}) == "change 0.5, kind text"
    assert label(SimpleNamespace(experiment=SimpleNamespace(name="gone"), seed=1)) == "gone seed=1"
