"""Ctrl-C, SIGTERM, a closed terminal, and the parent alone killed: everything ends soon, says so, and can go on."""

import os
import pty
import random
import signal
import time

import pytest

from tests.crash.harness import ROOK, SOON, computing, results, table, until
from tests.crash.resuming import killed_until_done

GRID = ("experiment=rook", "device=cpu", "optim.epochs=300", "conv=same,full", "seed=0,1", "hydra.launcher.workers=2")
crash = pytest.mark.crash


def begun(start, folder, **options):
    """A sweep with both workers in the middle of a run, and these two runs."""
    sweep = start(folder, *GRID, **options)
    assert until(lambda: len(computing(folder)) == 2 or sweep.ended(0))
    return sweep, list(computing(folder).values())


def noted(folder, runs, line):
    """The logs of runs that were stopped say so."""
    assert not computing(folder)
    for run in set(runs) - set(results(folder)):
        assert line in (run / "run.log").read_text()


@pytest.mark.parametrize(
    ("number", "everyone"),
    [
        pytest.param(signal.SIGINT, True, id="ctrl-c"),
        pytest.param(signal.SIGINT, False, id="sigint to the parent", marks=crash),
        pytest.param(signal.SIGTERM, False, id="sigterm", marks=crash),
        pytest.param(signal.SIGTERM, True, id="sigterm to all", marks=crash),
        pytest.param(signal.SIGHUP, False, id="sighup", marks=crash),
    ],
)
def test_a_signal_ends_all_workers_soon_and_is_noted(number, everyone, folder, start):
    sweep, runs = begun(start, folder)
    (os.killpg if everyone else os.kill)(sweep.process.pid, number)
    assert until(lambda: not sweep.workers(), SOON)
    ended = sweep.ended()
    assert ended.code == 128 + number
    assert ended.err.endswith("interrupted; the same command goes on from here\n")
    assert "Traceback" not in ended.err
    assert sweep.gone()
    noted(folder, runs, "interrupted by ")


def test_workers_end_soon_when_their_parent_is_killed(folder, start):
    sweep, _ = begun(start, folder)
    os.kill(sweep.process.pid, signal.SIGKILL)
    assert sweep.ended().code == 128 + signal.SIGKILL
    assert sweep.gone()


@crash
def test_a_closed_terminal_ends_all_and_is_noted(folder, start):
    ours, theirs = pty.openpty()
    sweep, runs = begun(start, folder, terminal=theirs)
    os.close(theirs)
    os.close(ours)
    assert until(lambda: not sweep.workers(), SOON)
    assert sweep.ended().code > 0  # which, nobody is left to ask
    assert sweep.gone()
    noted(folder, runs, "interrupted by SIGHUP")


@crash
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_stopped_at_any_moment_goes_on(number, tmp_path, start, undisturbed):
    moments, seconds = random.Random(number), []

    def moment(sweep, left):
        return sweep.ended(moments.uniform(0, 0.7 * undisturbed.seconds))

    def stop(sweep):
        began = time.monotonic()
        os.killpg(sweep.process.pid, number)
        assert sweep.ended().code == 128 + number
        assert sweep.gone()
        seconds.append(time.monotonic() - began)
        assert not computing(sweep.folder)

    while len(seconds) < 10:
        folder = tmp_path / str(len(seconds))
        killed_until_done(start, folder, ROOK, 10 - len(seconds), moment, stop)
        assert table(folder) == undisturbed.table
    print(f"{len(seconds)} times stopped, within {max(seconds):.1f} s at most")
