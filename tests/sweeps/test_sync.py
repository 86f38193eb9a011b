"""`sync` makes a store equal to the run directories after any history, and takes nothing away that is not theirs."""

import random
import shutil
from itertools import count

import pytest
from mlflow import MlflowClient

from sweeps.records import Record
from sweeps.tracking.mirror import Mirror
from sweeps.tracking.sync import sync
from tests import warm
from tests.sweeps.dying import killed
from tests.sweeps.images import expected, ids, shown
from tests.sweeps.runs import finished_run


def test_what_the_store_lacks_is_logged_and_nothing_twice(workdir, store):
    for border in (0, 16, 32):
        finished_run(workdir / "runs", border=border)
    (workdir / "runs" / "quadrant" / "unfinished").mkdir()
    (workdir / "runs" / "a file").touch()
    (workdir / "runs" / ".features").mkdir()
    assert sync(workdir / "runs", Mirror(None)) == (3, 3)
    assert sync(workdir / "runs", Mirror(None)) == (0, 3)
    assert shown(store) == expected(workdir / "runs")
    assert {e.name for e in MlflowClient(f"sqlite:///{store}").search_experiments()} <= {"Default", "quadrant"}
    assert sync(workdir / "nowhere", Mirror(None)) == (0, 0)


def test_a_lost_store_is_rebuilt_whatever_the_marks_say(workdir, store, empty_store):
    for border in (0, 16, 32):
        finished_run(workdir / "runs", 0.5 + border / 100, sweep="grid", border=border)
    sync(workdir / "runs", Mirror(None))
    store.unlink()
    shutil.copy(empty_store, store)
    # Another process, as after a loss: this one still has the lost file open.
    done = warm.typed(workdir, "sweeps", "sync")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 finished runs, 3 logged now")
    assert shown(store) == expected(workdir / "runs")
    shutil.copy(store, workdir / "rebuilt.db")
    frame = Mirror(f"sqlite:///{workdir}/rebuilt.db").read("quadrant")
    assert frame["tags.mlflow.parentRunId"].nunique() == 1


@pytest.mark.parametrize("content", ["{", '"loss": NaN'], ids=["torn", "not finite"])
def test_the_image_of_a_result_that_counts_no_more_goes(workdir, store, content):
    kept, _ = finished_run(workdir / "runs", border=16)
    record, _ = finished_run(workdir / "runs")
    sync(workdir / "runs", Mirror(None))
    file = record.path / "result.json"
    file.write_text(content if content == "{" else file.read_text().replace('"loss": 0.5', content))
    assert sync(workdir / "runs", Mirror(None)) == (0, 1)
    assert list(shown(store)) == [kept.identity]
    assert list(Mirror(None).read("quadrant")["tags.identity"]) == [kept.identity]


def test_duplicates_go(workdir, store):
    record, result = finished_run(workdir / "runs")
    for _ in range(3):
        (record.path / "mlflow.json").unlink(missing_ok=True)
        Mirror(None).log(record, result, None)
    assert len(shown(store)[record.identity]) == 3
    assert sync(workdir / "runs", Mirror(None)) == (0, 1)
    assert shown(store) == expected(workdir / "runs")
    assert Mirror(None).mirrored(record, result)


def test_a_result_made_anew_takes_the_place_of_the_old_one(workdir, store):
    record, result = finished_run(workdir / "runs", 0.9)
    Mirror(None).log(record, result, None)
    record.finish([], {**result, "ended": result["ended"] + 1, "metrics": {"accuracy": 0.1}})
    assert sync(workdir / "runs", Mirror(None)) == (1, 1)
    assert Mirror(None).read("quadrant")["metrics.accuracy"].tolist() == [0.1]
    assert sync(workdir / "runs", Mirror(None)) == (0, 1)


def test_a_run_deleted_by_hand_comes_back(workdir, store):
    record, result = finished_run(workdir / "runs")
    mirror = Mirror(None)
    mirror.log(record, result, None)
    mirror._store.client.delete_run(ids(store, "FINISHED")[0])
    assert sync(workdir / "runs", Mirror(None)) == (1, 1)
    assert shown(store) == expected(workdir / "runs")


def test_runs_whose_directory_is_gone_and_those_of_others_stay(workdir, store):
    record, result = finished_run(workdir / "runs")
    mirror = Mirror(None)
    mirror.log(record, result, None)
    theirs = mirror._store.client.create_run(mirror._store.experiment("quadrant")).info.run_id
    mirror._store.client.set_terminated(theirs)
    shutil.rmtree(record.path)
    assert sync(workdir / "runs", Mirror(None)) == (0, 0)
    assert len(ids(store, "FINISHED")) == 2


def test_what_another_process_logs_meanwhile_is_not_logged_again(workdir, store):
    record, result = finished_run(workdir / "runs")
    mirror = Mirror(None)
    images = mirror.images("quadrant")
    Mirror(None).log(record, result, None)
    mirror.renew(record, result, images.get(record.identity, []))
    assert shown(store) == expected(workdir / "runs")


def test_a_run_that_never_finished_is_running_no_more(workdir, store):
    record = Record(workdir / "runs" / "quadrant" / "abc")
    record.start("")
    Mirror(None).begin(record, "run", None, 1.0)
    with record.claim():
        sync(workdir / "runs", Mirror(None))
        assert len(ids(store, "RUNNING")) == 1
    sync(workdir / "runs", Mirror(None))
    assert ids(store, "RUNNING") == []


class History:
    """Things that happen to three runs and their store, one after another, in an order drawn by chance."""

    def __init__(self, workdir, empty_store, chance):
        self.runs, self.workdir, self.empty, self.chance = workdir / "runs", workdir, empty_store, chance
        self.numbers, self.results = count(1), {}
        self.lose_the_store()

    def happen(self):
        things = [self.compute, self.compute, self.log, self.log, self.die, self.die, self.delete, self.lose_a_mark]
        self.chance.choice([*things, self.lose_the_store])()

    def mirror(self):
        return Mirror(f"sqlite:///{self.store}")

    def lose_the_store(self):
        self.store = shutil.copy(self.empty, self.workdir / f"{next(self.numbers)}.db")

    def compute(self):
        record, result = finished_run(self.runs, self.chance.random(), "grid", seed=self.chance.randrange(3))
        result = {**result, "ended": result["ended"] + next(self.numbers)}
        record.finish([{"epoch": 1.0, "a": self.chance.random()}], result)
        self.results[record] = result

    def log(self):
        for record, result in self.drawn():
            self.mirror().log(record, result, "grid")

    def die(self):
        for record, result in self.drawn():
            mirror = self.mirror()

            def work(mirror=mirror, record=record, result=result):
                mirror.begin(record, "run", "grid", 1.0)
                mirror.log(record, result, "grid")

            killed(mirror, self.chance.randrange(20), work)

    def delete(self):
        for run in ids(self.store, "FINISHED")[:1]:
            self.mirror()._store.client.delete_run(run)

    def lose_a_mark(self):
        for record, _ in self.drawn():
            (record.path / "mlflow.json").unlink(missing_ok=True)

    def drawn(self):
        return self.chance.sample(list(self.results.items()), min(1, len(self.results)))


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_the_store_equals_the_directories(workdir, empty_store, seed):
    history = History(workdir, empty_store, random.Random(seed))
    for _ in range(5):
        for _ in range(6):
            history.happen()
        sync(history.runs, history.mirror())
        assert shown(history.store) == expected(history.runs)
        assert ids(history.store, "RUNNING") == []
    assert len(expected(history.runs)) > 1
