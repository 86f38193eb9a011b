"""A result.json that is not whole, as a power cut or a bad disk leaves it: the run is unfinished, never done."""

import random
import re

import pytest

from equivariance.job import prepare
from sweeps.__main__ import status
from sweeps.launcher.attempt import attempt
from sweeps.records import RESULT, finished
from tests.crash.harness import IMPULSE, results, starts, table


@pytest.fixture
def run(config, tmp_path):
    """A finished run in an otherwise empty folder."""
    job = prepare(config("experiment=impulse", "device=cpu", f"runs={tmp_path}/runs"))
    assert attempt(job, lambda row: None).status == "done"
    return job.record


def said_to_be_done(runs, capsys):
    """What `python -m sweeps` says is finished: cells of the artefact, runs."""
    capsys.readouterr()
    status(runs)
    said = capsys.readouterr().out
    return tuple(int(re.search(found, said, re.M)[1]) for found in (r"^impulse +(\d+) of 24", r"^(\d+) finished runs"))


def test_a_result_cut_at_any_byte_is_unfinished(run, tmp_path, capsys):
    file, runs = run.path / RESULT, tmp_path / "runs"
    whole = file.read_bytes()
    assert said_to_be_done(runs, capsys) == (1, 1)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert run.result() is None
        assert list(finished(runs)) == []
        if length % 100 == 0 or length == len(whole) - 1:
            assert said_to_be_done(runs, capsys) == (0, 0)
    file.write_bytes(whole)
    assert said_to_be_done(runs, capsys) == (1, 1)


def test_a_result_of_zeros_or_with_its_end_in_zeros_is_unfinished(run):
    file = run.path / RESULT
    whole = file.read_bytes()
    for length in range(len(whole)):  # a length that reached the disk before the content
        file.write_bytes(whole[:length] + bytes(len(whole) - length))
        assert run.result() is None


@pytest.mark.crash
def test_a_sweep_computes_runs_with_torn_results_again(tmp_path, start):
    ended = start(tmp_path, *IMPULSE).ended()
    assert ended.code == 0, ended.err
    before, cut = table(tmp_path, "impulse"), random.Random(0)
    for run, whole in results(tmp_path).items():
        (run / RESULT).write_bytes(whole[: cut.randrange(len(whole))])
    again = start(tmp_path, *IMPULSE).ended()
    assert again.code == 0, again.err
    assert "24 runs: 24 computed, 0 certified, 0 reused, 0 failed" in again.out
    assert set(starts(tmp_path).values()) == {2}
    assert table(tmp_path, "impulse") == before
