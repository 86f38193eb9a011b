"""verify: a run comes out as before, or what differs and why it may is said."""

import json

import pytest

from sweeps.__main__ import main
from sweeps.launcher.source import Outcome
from sweeps.records import Record
from sweeps.verify import compared
from tests.sweeps.runs import finished_run
from tests.warm import typed

KNOWN = {"commit": "abc", "version": "1", "computed": {"torch": "2", "threads": "1"}}


@pytest.fixture
def both(tmp_path):
    """Compares a result with another one of the same run."""

    def found(accuracy=0.75, weights=(b"w", b"w"), **changes):
        record, before = finished_run(tmp_path / "one")
        other, after = finished_run(tmp_path / "other", accuracy)
        for each, content in zip((record, other), weights, strict=True):
            each.keep("checkpoint.safetensors", content)
        return compared({**before, **KNOWN}, Outcome("done", {**after, **KNOWN, **changes}), record, other)

    return found


def test_the_same_bits_are_identical_and_others_are_not(both):
    assert both() == ("identical", [])
    verdict, said = both(weights=(b"w", b"v"))
    assert verdict == "DIFFERS"
    assert "same device, code and versions" in said[-1]


def test_a_tolerance_holds_only_where_something_around_the_run_is_another(both):
    assert both(0.76)[0] == "DIFFERS"
    verdict, said = both(0.76, computed={"torch": "2", "threads": "8"})
    assert verdict == "within tolerance"
    assert said == ["accuracy 0.75, now 0.76", "it may: threads 1, now 8"]
    assert both(0.80, computed={"torch": "3", "threads": "1"})[0] == "DIFFERS"
    assert "not recorded" in both(0.76, computed={})[1][-1]


def test_a_run_that_fails_now_or_is_another_one_differs(tmp_path):
    record, before = finished_run(tmp_path)
    assert compared(before, Outcome("failed", reason="gone"), record, record) == ("DIFFERS", ["it fails now: gone"])
    other = Record(tmp_path / "quadrant" / "other")
    assert "another run" in compared(before, Outcome("done", before), record, other)[1][0]


def test_nothing_to_verify_is_said(workdir, capsys):
    assert main(["verify"]) == 1
    assert "no finished runs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["verify", "--sample", "0"])


def test_finished_runs_are_computed_anew_and_one_that_was_changed_is_found(tmp_path, empty_store):
    import shutil

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    done = typed(tmp_path, "equivariance.run", "experiment=impulse")
    assert done.returncode == 0, done.stderr
    found = typed(tmp_path, "sweeps", "verify", "--sample", "3")
    assert (found.returncode, "identical" in found.stdout) == (0, True), found.stdout + found.stderr
    assert "1 of 1 runs come out as before" in found.stdout
    (file,) = tmp_path.glob("runs/impulse/*/result.json")
    result = json.loads(file.read_text())
    result["metrics"]["accuracy"] += 0.25
    file.write_text(json.dumps(result))
    found = typed(tmp_path, "sweeps", "verify")
    assert (found.returncode, "DIFFERS" in found.stdout) == (1, True)
    (config,) = tmp_path.glob("runs/impulse/*/config.yaml")
    before = config.read_text()
    for content, said in (
        (before.replace("kernel: 3", "kernel: 5"), "means another run"),
        ("a: [", "config.yaml: "),
        ("", "config.yaml: no keys"),
    ):
        assert content != before
        config.write_text(content)
        found = typed(tmp_path, "sweeps", "verify")
        assert (found.returncode, said in found.stdout) == (1, True), found.stdout + found.stderr
        assert "Traceback" not in found.stderr
