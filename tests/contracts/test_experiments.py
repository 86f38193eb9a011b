"""What every registered experiment promises: composed, refused, labelled, estimated, run, reused, tabulated, drawn."""

import json
import shutil
from itertools import combinations

import pytest

from equivariance.config.refusals import keys
from equivariance.errors import UserError
from equivariance.job import costs, prepare
from sweeps.__main__ import main
from sweeps.experiments import EXPERIMENTS, headline, schema
from sweeps.general import artefact
from sweeps.launcher.attempt import attempt
from sweeps.records import finished
from sweeps.tracking.mirror import Mirror
from tests.conftest import once

NAMES = EXPERIMENTS.names()
# The smallest case of each; one of its own needs a line here and in nothing else.
TINY = {
    "quadrant": ["arch=resnet8", "data.pictures=3", "optim=probe", "experiment.picture=24", "experiment.canvas=88"],
    "leak_distance": [
        *("arch=resnet8", "data.pictures=3"),
        *("experiment.resolution=40", "experiment.picture=24", "experiment.canvas=88"),
    ],
    "impulse": [],
    "rook": ["optim.epochs=2"],
    "shift": ["data.train=20", "data.validation=10", "data.test=10", "optim.epochs=1", "experiment.draws=1"],
    "patch_matching": ["data.pairs=20", "experiment.triplets=8", "optim.batch=4", "optim.epochs=1"],
    "action": ["data.train=8", "data.validation=8", "data.test=8", "optim.epochs=1", "arch.width=4", "data.frames=4"],
    "seams": [
        *("optim.epochs=1", "data.pictures=2", "data.side=40", "data.train=16", "arch.width=4", "arch.levels=2"),
        *("experiment.tile=24", "experiment.halos=[0,4]"),
    ],
    "data_efficiency": ["data.train=60", "data.validation=10", "data.test=10", "data.per_class=2", "optim.epochs=1"],
    "audit": ["experiment.input_size=32", "experiment.remedies=false", "arch=squeezenet1_0"],
    "red_green": ["optim.epochs=1", "data.train=16", "data.validation=8", "data.test=8"],
}


@pytest.fixture
def tiny(config):
    """The smallest run of an experiment."""
    return lambda name, *overrides: config(f"experiment={name}", "device=cpu", *TINY[name], *overrides)


@pytest.fixture
def done(tiny, workdir, empty_store, tmp_path_factory, monkeypatch):
    """The job of a run of an experiment that is finished in the working folder; computed once for all tests."""
    shutil.copy(empty_store, workdir / "mlflow.db")

    def run(name):
        def make(folder):
            monkeypatch.chdir(folder)
            assert attempt(prepare(tiny(name)), lambda row: None).status == "done"
            monkeypatch.chdir(workdir)

        shutil.copytree(once(tmp_path_factory, f"done-{name}", make) / "runs", workdir / "runs")
        return prepare(tiny(name))

    return run


@pytest.mark.parametrize("name", NAMES)
def test_it_composes_to_its_own_schema_and_says_in_a_line_what_a_run_is(tiny, name):
    found = tiny(name)
    assert type(found) is schema(name)
    label = EXPERIMENTS.get(name).label(found)
    assert label.isprintable()
    assert 5 < len(label) < 100


def leaves(raw, prefix=""):
    for key, value in raw.items():
        yield from leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_value_at_any_key_is_refused_in_one_line(raw, name):
    from equivariance.config import validate

    composed = raw(f"experiment={name}", "device=cpu", *TINY[name])
    wrong = {"nonsense": object}
    tried = 0
    for key in leaves(composed):
        *path, last = key.split(".")
        other = json.loads(json.dumps(composed))
        section = other
        for part in path:
            section = section[part]
        section[last] = wrong
        with pytest.raises(UserError, match=r"^[\w.]+(=.*)?: .*(allowed|no such key)") as refused:
            validate(other)
        assert "\n" not in str(refused.value)
        tried += 1
    assert tried > 20
    assert set(leaves(composed)) <= set(keys(schema(name)))


@pytest.mark.parametrize("name", NAMES)
def test_what_it_costs_is_told_before_it_runs(tiny, workdir, name):
    certified, seconds = costs([tiny(name), tiny(name, "conv=unbounded")])
    assert 0 <= certified <= 2
    assert seconds >= 0


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_once_and_is_tabulated_and_drawn_from_the_store_alone(done, workdir, capsys, name):
    job = done(name)
    ((record, result),) = finished(workdir / "runs", name)
    assert record.identity == job.record.identity
    assert set(EXPERIMENTS.get(name).metrics) & set(result["metrics"])
    assert attempt(job, lambda row: None).status == "reused"
    Mirror(None).log(record, result, None)
    shutil.rmtree(workdir / "runs")
    assert main([name, "--uri", f"sqlite:///{workdir}/mlflow.db", "--format", "csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 1
    assert len(header.split(",")) > 3
    assert (workdir / "results" / f"{name}.svg").stat().st_size > 2000
    if hasattr(artefact(name), "pages"):
        assert main(["report", "--uri", f"sqlite:///{workdir}/mlflow.db"]) == 0  # 1: something could not be drawn


@pytest.mark.parametrize("name", NAMES)
def test_any_subset_of_its_metrics_can_be_said_and_read(done, workdir, capsys, name):
    record = done(name).record
    whole = record.result()
    metrics = list(whole["metrics"].items())[:4]
    for kept in (dict(c) for n in range(len(metrics) + 1) for c in combinations(metrics, n)):
        result = {**whole, "metrics": kept}
        said = headline(name, result)
        assert said
        assert said.isprintable()
    Mirror(None).log(record, whole, None)
    record.finish([], {**whole, "metrics": {}, "ended": whole["ended"] + 1})
    assert main([name, "--format", "csv"]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err
