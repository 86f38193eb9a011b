"""SIGKILL of everything at once, as a power cut or a cluster's time limit does it, at random moments."""

import random
import shutil

import pytest

from tests.crash.harness import EIGHT, ROOK, results, table
from tests.crash.resuming import killed_until_done


@pytest.fixture
def killed(start, tmp_path):
    """Kills sweeps, as often in all as is asked, until each is done; gives how many kills met a run in the middle."""

    def kill(total, command, runs, undisturbed, store=None):
        moments, kills, met = random.Random(total), 0, 0

        def moment(sweep, left):  # a sweep that goes on has less to do than a whole one
            return sweep.ended(moments.uniform(0, 0.7 * undisturbed.seconds))

        sweeps = 0
        while kills < total:
            folder, sweeps = tmp_path / str(sweeps), sweeps + 1
            folder.mkdir()
            if store:
                shutil.copy(store, folder / "mlflow.db")
            done = killed_until_done(start, folder, command, total - kills, moment)
            assert len(results(folder)) == runs
            assert table(folder) == undisturbed.table
            kills, met = kills + done.kills, met + done.met
        print(f"{kills} kills, {met} of them in the middle of a run, over {sweeps} sweeps of {runs} runs")
        return met

    return kill


def test_a_small_sweep_killed_at_random_moments_loses_and_repeats_nothing(killed, undisturbed_eight, empty_store):
    killed(2, EIGHT, 8, undisturbed_eight, empty_store)


@pytest.mark.crash
@pytest.mark.timeout(3000)
def test_sweeps_killed_at_random_moments_lose_and_repeat_nothing(killed, undisturbed):
    """Also the making of MLflow's tables, which takes seconds, is disturbed."""
    assert killed(50, ROOK, 24, undisturbed) >= 10  # else the moments miss what they are to disturb
