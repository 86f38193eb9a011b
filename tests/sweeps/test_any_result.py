"""Nothing about a result's content ends a sweep: any subset of metrics and any text pass through the parent."""

import io
import json
import sqlite3
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sweeps.__main__ import main
from sweeps.experiments import headline
from sweeps.launcher.display import Display
from sweeps.launcher.launch import launch
from sweeps.launcher.mirroring import Mirroring
from sweeps.launcher.pool import Limits, Machine
from sweeps.launcher.source import Grid, Job, Outcome
from sweeps.launcher.tally import Tally
from sweeps.records import Record
from sweeps.terminal import say
from sweeps.tracking.mirror import Mirror
from tests.sweeps.searches import Search
from tests.sweeps.test_artefacts_controls import leave

NAMES = ["accuracy", "loss", "n", "leak_distance", "not_decodable", "bound", "similar", "dissimilar", "side", "class_1"]
ODD = ["", "\x1b[2J", "a\nb", "\udc80", "ü", "…", "x" * 9000, "\0", "'; drop table runs", "..", "/", "a//b", "{", "%s"]
texts = st.sampled_from(ODD) | st.text(max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
results = st.fixed_dictionaries(
    {
        "label": texts,
        "metrics": st.dictionaries(st.sampled_from(NAMES) | texts, numbers, max_size=4),
        "notes": st.dictionaries(st.sampled_from(["certified", "skipped", "device"]) | texts, texts, max_size=3),
        "config": st.dictionaries(texts, texts | numbers | st.none() | st.lists(numbers, max_size=2), max_size=3),
        "sweep": texts | st.none(),
        "began": st.just(0.0),
        "ended": st.just(1.0),
    }
)
EVERY = [{"metrics": {}, "notes": {}}, {"metrics": {"leak_distance": 8.0}, "notes": {}}]
EVERY += [{"metrics": {}, "notes": {"certified": "yes", "skipped": "\udc80"}}]


NUMBERS = count()


def ended(folder, name, result):
    """A finished run as a job, and its outcome."""
    record = Record(folder / "runs" / "quadrant" / name)
    record.start("")
    record.finish([], {"config": {}, "label": "", "began": 0.0, "ended": 1.0, **result})
    found = record.result()
    assert found is not None
    return Job(record, found["label"], lambda report: found), Outcome("done", found)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(result=results)
@example(result=EVERY[0])
@example(result=EVERY[1])
@example(result=EVERY[2])
def test_a_result_is_said_on_one_line_whatever_the_terminal(tmp_path, monkeypatch, encoding, result):
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr("sys.stdout", out)
    job, outcome = ended(tmp_path, "0", result)
    tally, display = Tally(2), Display(2)
    tally.add(job, outcome)
    tally.add(job, Outcome("failed", reason=job.label))
    display.ended(f"{job.label}: {headline(job.record.experiment, outcome.result)}", False)
    display.tick(1, 0)
    display.close()
    said = out.buffer.getvalue().decode(encoding).removesuffix("\n").split("\n")
    assert said[-1].startswith("[1/2] ")
    assert len(said) == 1 + bool(result["notes"].get("skipped"))
    assert all(line.isprintable() for line in said)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["a.tif: values from 0 to 2; allowed: 0 to 1"],
            "  skipped 1 picture: a.tif: values from 0 to 2; allowed: 0 to 1",
        ),
        (["a: x, y; z"] * 4, "  skipped 4 pictures: a: x, y; z; a: x, y; z; a: x, y; z …"),
    ],
)
def test_skipped_pictures_are_counted_whatever_their_reasons_hold(tmp_path, capsys, lines, said):
    job, outcome = ended(tmp_path, "0", {"metrics": {}, "notes": {"skipped": "\n".join(lines)}})
    Tally(1).add(job, outcome)
    assert capsys.readouterr().out.split("\n")[0] == said


@pytest.mark.parametrize(
    ("experiment", "found", "said"),
    [
        ("leak_distance", {"leak_distance": 24.0, "not_decodable": 32.0}, "24 px"),
        ("leak_distance", {"leak_distance": 8.0}, "8 px or more"),
        ("leak_distance", {"leak_distance": 0.0, "not_decodable": 0.0}, "decodable at no border"),
        ("quadrant", {"accuracy": 0.5}, "accuracy 50.0 %"),
        ("quadrant", {"loss": 0.25}, "loss 0.25"),
        ("rook", {}, "no metrics"),
        ("somebody_else's", {"speed": 3.0}, "speed 3"),
    ],
)
def test_the_headline_says_what_is_there(experiment, found, said):
    assert headline(experiment, {"metrics": found, "notes": {}}) == said


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(results, min_size=1, max_size=3))
def test_a_sweep_and_its_mirror_come_to_their_end(store, tmp_path, capsys, found):
    jobs = [ended(tmp_path, f"{next(NUMBERS)}", result)[0] for result in found]
    for job in jobs:
        (job.record.path / "history.csv").write_text("epoch,loss\n1,nan\nx,1\n2,0.5,7\n")
    launch(Grid(jobs), Machine(), Limits(), Mirroring(Mirror(f"sqlite:///{store}"), found[0]["sweep"]))
    said = capsys.readouterr()
    assert said.err == ""
    assert f"{len(jobs)} reused, 0 failed" in said.out or len(jobs) == 1
    with sqlite3.connect(store) as base:
        shown = {i for (i,) in base.execute("select t.value from tags t join runs r using (run_uuid) "
                                            "where t.key = 'identity' and r.status = 'FINISHED'")}  # fmt: skip
    assert {job.record.identity for job in jobs} <= shown


@pytest.mark.parametrize(
    "content",
    [{"metrics": []}, {"metrics": {"a": "x"}}, {"metrics": {"a": None}}, {"metrics": {"a": True}}, {"notes": None},
     {"config": "x"}, {"label": 5}, {"began": "x"}, {"ended": None}],
    ids=str,
)  # fmt: skip
def test_what_is_no_result_is_neither_written_nor_read(tmp_path, content):
    record = Record(tmp_path / "quadrant" / "0")
    whole = {"metrics": {}, "notes": {}, "config": {}, "label": "", "began": 0, "ended": 1.5}
    with pytest.raises(TypeError, match=next(iter(content))):
        record.finish([], whole | content)
    assert record.result() is None
    record.keep("result.json", json.dumps({"identity": "0", **whole}).encode())
    assert record.result() is not None
    record.keep("result.json", json.dumps({"identity": "0", **whole, **content}).encode())
    assert record.result() is None
    record.keep("result.json", json.dumps({"identity": "0", **whole, "metrics": {"a": 10**400}}).encode())
    assert record.result() is None


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.dictionaries(st.sampled_from(NAMES) | texts, numbers, max_size=4), reason=texts)
def test_a_study_comes_to_its_end(tmp_path_factory, found, reason):
    def gives(params, seed):
        if params["conv"] == "full":
            raise ArithmeticError(reason)
        return found

    folder = tmp_path_factory.mktemp("study")
    search = Search(folder, gives, ["conv=same,full"], n_trials=2, sampler={"name": "GridSampler"})
    search.drive()
    for line in search.study.summary():
        say(line)
    assert set(search.states()) <= {"COMPLETE", "FAIL"}
    assert ("COMPLETE" in search.states()) == ("accuracy" in found)


@pytest.mark.parametrize(
    "rows", [[{"validation_accuracy": 1.0}], [{"epoch": float("nan"), "validation_accuracy": 1.0}]]
)
def test_a_pruner_overlooks_rows_that_are_no_epochs(tmp_path, rows):
    pruner = {"name": "MedianPruner", "n_startup_trials": 0}
    search = Search(tmp_path, n_trials=1, pruner=pruner)
    study = search.begin()
    job = study.next()
    assert all(study.report(job, row) for row in rows)
    search.kill()


CONTROLS = {
    "quadrant": {"arch": {"name": "resnet18"}, "data": {"name": "photos"}},
    "leak_distance": {"arch": {"name": "resnet18"}, "data": {"name": "photos"}},
    "rook": {"data": {"name": "rook", "side": 32}},
    "red_green": {"data": {"name": "red_green"}},
    "impulse": {"data": {"name": "impulse", "side": 5}},
}
WHOLE = {"accuracy": 0.5, "n": 2.0, "similar": 0.5, "dissimilar": 0.5, "leak_distance": 8.0, "side": 5.0}
WHOLE |= {"class_1": 0.0, "class_2": 1.0}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_table_leaves_out_runs_that_lack_its_metrics_and_says_how_many(store, workdir, capsys, name):
    experiment = {"name": name} | ({"tap": "centre"} if name == "impulse" else {})
    config = {"experiment": experiment, "conv": {"name": "same"}, "seed": 0, **CONTROLS[name]}
    maps = {"maps.csv": b"class,row,column,value\n"}
    for seed, found in enumerate(({}, {"loss": 1.0}, {"accuracy": 0.5} if name != "leak_distance" else {"n": 2.0})):
        leave(workdir, config | {"seed": seed}, found, maps)
    assert main([name, "--format", "csv"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("left out: 3 runs that lack one of ")
    leave(workdir, config | {"seed": 3}, WHOLE, maps)
    assert main([name, "--format", "csv"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert said.err.startswith("left out: 3 runs")
