"""SIGKILL of everything at once, as a power cut or a cluster's time limit does it, at random moments."""

import random
import shutil
from itertools import count

import pytest

from tests.crash.harness import ROOK, results, table
from tests.crash.resuming import killed_until_done


@pytest.mark.parametrize("total", [2, pytest.param(50, marks=[pytest.mark.crash, pytest.mark.timeout(3000)])])
def test_sweeps_killed_at_random_moments_lose_and_repeat_nothing(total, tmp_path, start, undisturbed, empty_store):
    moments, killed, met = random.Random(total), 0, 0

    def moment(sweep, left):  # a sweep that goes on has less to do than a whole one
        return sweep.ended(moments.uniform(0, 0.7 * undisturbed.seconds))

    for number in count():
        folder = tmp_path / str(number)
        if total == 2:  # the making of MLflow's tables, which takes seconds, is disturbed in the full form alone
            folder.mkdir()
            shutil.copy(empty_store, folder / "mlflow.db")
        done = killed_until_done(start, folder, ROOK, total - killed, moment)
        assert len(results(folder)) == 24
        assert table(folder) == undisturbed.table
        killed, met = killed + done.kills, met + done.met
        if killed == total:
            break
    print(f"{killed} kills, {met} of them in the middle of a run, over {number + 1} sweeps of 24 runs")
    assert total == 2 or met >= 10  # else the moments miss what they are to disturb
