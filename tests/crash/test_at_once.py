"""Sweeps on the same grid at once share its runs, also where nothing is there yet, not even MLflow's tables."""

import pytest

from tests.crash.harness import DEADLINE, IMPULSE, ROOK, results, starts, table


def shared(folder, start, grid, count):
    """Starts so many sweeps at once; each ends well with all runs, each run is computed once, by one of them."""
    sweeps = [start(folder, *grid) for _ in range(count)]
    said = [sweep.ended(2 * DEADLINE) for sweep in sweeps]
    assert [ended.code for ended in said] == [0] * count, [ended.err for ended in said]
    assert [ended.err for ended in said if "warning" in ended.err] == []
    summaries = [ended.out.splitlines()[-1].split() for ended in said]
    assert [words[:2] + words[-2:] for words in summaries] == [["24", "runs:", "0", "failed"]] * count
    assert len(results(folder)) == 24
    assert set(starts(folder).values()) == {1}
    assert sum(int(words[2]) for words in summaries) == 24


@pytest.mark.crash
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("grid", [ROOK, IMPULSE], ids=["rook", "impulse"])
def test_two_sweeps_on_one_grid_compute_each_run_once(grid, tmp_path, start, undisturbed):
    shared(tmp_path, start, grid, 2)
    if grid is ROOK:
        assert table(tmp_path) == undisturbed.table


@pytest.mark.crash
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("count", "rounds"), [(2, 1), (8, 5)])
def test_fresh_sweeps_in_a_fresh_folder_do_not_disturb_each_other(count, rounds, tmp_path, start):
    for number in range(rounds):
        folder = tmp_path / str(number)
        shared(folder, start, [*IMPULSE, "hydra.launcher.workers=1"], count)
        assert len(table(folder, "impulse").splitlines()) == 25
