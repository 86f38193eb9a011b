"""A store that is dead, slow, locked or none at all costs a warning, and soon."""

import sqlite3
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sweeps.launcher.mirroring import Mirroring
from sweeps.launcher.source import Outcome
from sweeps.tracking.mirror import Mirror
from tests.sweeps.images import expected, ids, shown
from tests.sweeps.runs import finished_run


def told_of(runs, uri, patience=30.0):
    """Tells a store of one finished run and gives the seconds it took."""
    path, result = finished_run(runs)
    mirroring = Mirroring(Mirror(uri), None)
    began = time.monotonic()
    mirroring.begin(path, "run")
    mirroring.ended(path, Outcome("done", result))
    mirroring.close(patience)
    return path, time.monotonic() - began


def test_a_finished_run_arrives(workdir, store):
    path, _ = told_of(workdir / "runs", None)
    assert shown(store) == expected(workdir / "runs")
    assert ids(store, "RUNNING") == []
    assert (path.path / "mlflow.json").exists()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@contextmanager
def server(answer):
    """A server at a free port that answers every request by `answer(handler)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        do_POST = do_GET  # noqa: N815 - as the library calls it

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def warned(capsys, uri):
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"warning: MLflow at {uri} cannot be reached (")
    assert second.startswith("warning: 1 of 1 finished runs are not in MLflow")


def test_a_dead_server_costs_a_warning(workdir, impatient, capsys):
    path, seconds = told_of(workdir / "runs", "http://127.0.0.1:9")
    assert seconds < 20
    warned(capsys, "http://127.0.0.1:9")
    assert not (path.path / "mlflow.json").exists()


def test_a_server_that_fails_costs_a_warning(workdir, impatient, capsys):
    with server(lambda handler: handler.send_error(500)) as uri:
        _, seconds = told_of(workdir / "runs", uri)
    assert seconds < 20
    warned(capsys, uri)


def test_a_server_that_is_no_mlflow_costs_a_warning(workdir, impatient, capsys):
    def page(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"<html>")

    with server(page) as uri:
        told_of(workdir / "runs", uri)
    warned(capsys, uri)


def test_a_slow_server_is_not_waited_for(workdir, capsys, monkeypatch):
    over = threading.Event()
    with server(lambda handler: over.wait(30)) as uri:
        _, seconds = told_of(workdir / "runs", uri, patience=0.5)
        warned(capsys, uri)
        over.set()
    assert seconds < 10


def test_a_locked_database_is_not_waited_for(workdir, store, capsys):
    Mirror(None).prepare("quadrant")
    other = sqlite3.connect(store)
    other.execute("begin exclusive")
    path, seconds = told_of(workdir / "runs", None, patience=0.5)
    other.rollback()
    other.close()
    assert seconds < 10
    warned(capsys, f"sqlite:///{store}")
    assert not Mirror(None).mirrored(path, path.result())


def test_a_store_that_cannot_be_made_costs_a_warning(workdir, capsys):
    (workdir / "file").touch()
    uri = f"sqlite:///{workdir}/file/mlflow.db"
    told_of(workdir / "runs", uri)
    warned(capsys, uri)
