"""MLflow and optuna-dashboard, started by compose.yaml's own commands on a real PostgreSQL; the health checks too."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.docker.conftest import PASSWORD, postgres_programs
from tests.docker.files import SERVICES, healthcheck, last

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def on_this_machine(words, ports, folders=()):
    """A command of the compose file or of a HEALTHCHECK with its host, port and folders replaced by this test's."""
    swaps = {"@postgres/": "@127.0.0.1/", "--host=0.0.0.0": "--host=127.0.0.1", **ports, **dict(folders)}
    for old, new in swaps.items():
        words = [word.replace(old, new) for word in words]
    return words


@contextlib.contextmanager
def running(venv, command, environment, folder):
    """A server that runs meanwhile, and all it started; its output is in the folder's `log`."""
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [venv / "bin" / command[0], *command[1:]],
            env={**environment, "PATH": f"{venv}/bin:{environment['PATH']}"},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(20)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)


def healthy(venv, check):
    """Whether a HEALTHCHECK's command says so, by its exit code."""
    return subprocess.run([venv / "bin" / check[0], *check[1:]], capture_output=True, timeout=30).returncode == 0


def wait_until_healthy(venv, check, child, folder, seconds=150):
    end = time.monotonic() + seconds
    while not healthy(venv, check):
        said = (folder / "log").read_text()
        assert child.poll() is None, said
        assert time.monotonic() < end, said
        time.sleep(1)


def answer(url, host=None):
    """Status and text of a page, asked for under a host name."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


@pytest.fixture
def web_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_mlflow_keeps_a_run_in_postgres_and_its_files_in_the_volume(server, postgres, web_port, tmp_path, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    files = tmp_path / "files"
    ports = {"--port=5000": f"--port={web_port}", ":5000/": f":{web_port}/"}
    volume = SERVICES["mlflow"]["volumes"][0].partition(":")[2]
    command = on_this_machine(SERVICES["mlflow"]["command"], ports, {volume: str(files)})
    assert PASSWORD not in " ".join(command)
    check = on_this_machine(healthcheck("mlflow"), ports)
    name, value = last("mlflow", "ENV").split("=")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    url = f"http://127.0.0.1:{web_port}"
    assert not healthy(server, check)
    with running(server, command, {**postgres, name: value}, tmp_path) as child:
        wait_until_healthy(server, check, child, tmp_path)
        client = MlflowClient(url)
        experiment = client.create_experiment("quadrant")
        run = client.create_run(experiment).info.run_id
        client.log_batch(run, [Metric("accuracy", 0.875, 0, e) for e in range(3)], [Param("border", "64")])
        client.log_text(run, "border: 64\n", "config.yaml")
        client.set_terminated(run)
        (found,) = client.search_runs([experiment], "params.border = '64' and metrics.accuracy > 0.8")
        assert (found.info.run_id, found.info.status) == (run, "FINISHED")
        assert len(client.get_metric_history(run, "accuracy")) == 3
        assert Path(client.download_artifacts(run, "config.yaml", str(tmp_path))).read_text() == "border: 64\n"
        assert [p.read_text() for p in files.rglob("config.yaml")] == ["border: 64\n"]
        assert answer(url, "mlflow:5000")[0] == answer(url, "localhost:5000")[0] == 200  # the worker's name for it
        assert answer(url, "elsewhere.example")[0] == 403
    assert not healthy(server, check)
    assert rows(postgres, "mlflow", "SELECT key, value FROM params") == [("border", "64")]


def test_the_dashboard_shows_the_studies_in_postgres(server, postgres, web_port, tmp_path, monkeypatch):
    import optuna

    for key in ("PGPORT", "PGPASSWORD"):
        monkeypatch.setenv(key, postgres[key])
    ports = {"--port=8080": f"--port={web_port}", ":8080/": f":{web_port}/"}
    command = on_this_machine(SERVICES["optuna-dashboard"]["command"], ports)
    check = on_this_machine(healthcheck("dashboard"), ports)
    assert SERVICES["worker"]["environment"]["OPTUNA_STORAGE"] in SERVICES["optuna-dashboard"]["command"]
    study = optuna.create_study(storage=command[1], study_name="probe", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    study._storage.remove_session()
    assert not healthy(server, check)
    with running(server, command, postgres, tmp_path) as child:
        wait_until_healthy(server, check, child, tmp_path)
        status, listed = answer(f"http://127.0.0.1:{web_port}/api/studies")
        assert (status, '"probe"' in listed) == (200, True)
        status, page = answer(f"http://127.0.0.1:{web_port}/dashboard")
        assert (status, "<html" in page.lower()) == (200, True)
    assert not healthy(server, check)


def test_postgres_is_healthy_when_it_takes_connections_and_asks_for_the_password(postgres):
    import psycopg2

    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[0] == "CMD"
    command = [postgres_programs() / check[1], *check[2:]]
    assert subprocess.run(command, env=postgres).returncode == 0
    assert subprocess.run(command, env={**postgres, "PGPORT": "1"}).returncode != 0
    assert rows(postgres, "optuna", "SELECT 1") == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="password"):
        rows({**postgres, "PGPASSWORD": "another"}, "optuna", "SELECT 1")


def rows(environment, database, query):
    """What a query gives, over TCP with the environment's password."""
    import psycopg2

    user = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    port, password = environment["PGPORT"], environment["PGPASSWORD"]
    connection = psycopg2.connect(host="127.0.0.1", dbname=database, user=user, port=port, password=password)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()
