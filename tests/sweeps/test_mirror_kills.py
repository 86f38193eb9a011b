"""What a kill leaves in the store is completed, replaced or marked by the next process; what lives is left alone."""

import socket
from itertools import count

import pytest

from sweeps.records import Record
from sweeps.tracking.mirror import Mirror
from tests.sweeps.dying import killed
from tests.sweeps.images import expected, ids, shown
from tests.sweeps.runs import finished_run


@pytest.fixture
def mirror(store):
    return Mirror(None)


@pytest.mark.parametrize(("begun", "anew"), [(False, False), (True, True)])
def test_a_logger_killed_at_any_call_leaves_what_the_next_one_completes(workdir, store, begun, anew):
    runs = workdir / "runs"
    for n in count():
        record, result = finished_run(runs, sweep="grid", seed=n)
        if anew:
            Mirror(None).log(record, result, "grid")
            result = {**result, "ended": result["ended"] + 1, "metrics": {"accuracy": n / 64}}
            record.finish([{"epoch": 1.0, "a": float(n)}], result)
        first = Mirror(None)

        def work(first=first, record=record, result=result):
            if begun:
                first.begin(record, "run", "grid", 1.0)
            first.log(record, result, "grid")

        died = killed(first, n, work)
        after = Mirror(None)  # the same command again
        after.prepare("quadrant")
        assert ids(store, "RUNNING") == []
        after.log(record, result, "grid")
        assert ids(store, "RUNNING") == []
        assert shown(store)[record.identity] == expected(runs)[record.identity], n
        if not died:
            break
    assert n > 12
    assert shown(store) == expected(runs)


def test_runs_that_a_kill_left_are_killed_and_live_ones_are_not(mirror, workdir, store):
    live, dead, gone, foreign = (Record(workdir / "runs" / "quadrant" / name) for name in ("a", "b", "c", "d"))
    for record in (live, dead, gone, foreign):
        if record is not gone:
            record.start("")
        mirror.begin(record, record.identity, "grid", 1.0)
    runs = {r.data.tags["identity"]: r.info.run_id for r in search(mirror)}
    mirror._store.client.set_tag(runs["d"], "host", f"not-{socket.gethostname()}")
    mirror._store.client.set_tag(runs["d"], "record", "/nowhere/quadrant/d")
    torn = mirror._store.client.create_run(
        mirror._store.experiment("quadrant"), tags={"sweep.parent": "torn"}
    ).info.run_id
    stranger = mirror._store.client.create_run("0").info.run_id
    other = mirror._store.client.create_run(mirror._store.experiment("quadrant")).info.run_id
    with live.claim() as ours:
        assert ours
        Mirror(None).prepare("quadrant")
    assert set(ids(store, "KILLED")) == {runs["b"], runs["c"]}
    assert torn in ids(store, "FINISHED")
    assert set(ids(store, "RUNNING")) == {runs["a"], runs["d"], stranger, other}


def search(mirror):
    return mirror._store.client.search_runs([mirror._store.experiment("quadrant")], "attributes.status = 'RUNNING'")
