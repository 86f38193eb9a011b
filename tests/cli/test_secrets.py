"""What a run leaves, says or uploads holds no secret of an address or variable, however it is written."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from equivariance import run
from sweeps import addresses
from sweeps.__main__ import main as sweeps_main

# Stands in every part of every secret below.
SECRET = "S3cr"
DEAD = [
    "http://bob:S3cret@127.0.0.1:9",
    "http://bob:S3cret@S3crt@127.0.0.1:9/path",
    "http://bob:S3cr:S3cr@127.0.0.1:9",
    "http://bob:S3cr/S3cr@127.0.0.1:9",
    "http://bob:S3cr?S3cr#S3cr@127.0.0.1:9",
    "http://bob:S3cr%40%2FS3cr@127.0.0.1:9",
    "http://bob:my S3cr word@127.0.0.1:9",
    "http://bob:S3cr@no such host",
    "http://S3crToken@127.0.0.1:9",
    "https://127.0.0.1:9/?Api_Token=S3cr&x=1",
    "HTTP://127.0.0.1:9/?PASSWORD=S3cr+S3cr%21",
    "http://bob:S3cr@127.0.0.1:port",
    "bob:S3cr@127.0.0.1:9",
    "nosuch://bob:S3cr@host/db",
    "postgresql+psycopg2://bob:S3cr@127.0.0.1:9/db?sslmode=disable&sslpassword=S3cr",
    "postgresql://bob:S3cr@S3cr/S3cr@127.0.0.1:9/db",
    "mssql+pyodbc://sa:S3cr@host/db?driver=ODBC+Driver+17&uid=me@corp",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dsa%3BPWD%3DS3cr",
    "mysql+pymysql://bob:S3cr%20S3cr@127.0.0.1:9/db",
]
OPEN = [
    "sqlite:////data/me@home/a:b@c.db",
    "sqlite:///mlflow.db",
    "file:///data/me@home/mlruns",
    "file:a:b@c",
    "mlruns/a:b@c",
    "http://127.0.0.1:5000/#/experiments?x=1",
    "databricks://profile",
]


def left(folder: Path) -> list[str]:
    """The files that hold the secret, in their name or content."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert files
    return [str(p) for p in files if SECRET.lower() in (str(p) + p.read_bytes().decode("latin-1")).lower()]


def typed(monkeypatch, *arguments: str) -> int:
    """A command line of this process."""
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    try:
        run.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def hurried(monkeypatch, workdir):
    """Stores that do not answer are given up at once."""
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    return workdir


IMPULSE = ("experiment=impulse", "device=cpu", "hydra.output_subdir=.hydra", "hydra/job_logging=default")


@pytest.mark.parametrize("address", DEAD)
def test_a_run_with_a_dead_store_leaves_and_says_no_secret(address, hurried, monkeypatch, capsys):
    quoted = address.replace("'", r"\'")
    assert typed(monkeypatch, *IMPULSE, f"tracking.uri='{quoted}'") == 0
    said = capsys.readouterr()
    assert "sweeps sync" in said.err
    assert SECRET.lower() not in (said.out + said.err).lower()
    assert left(hurried) == []


@pytest.mark.parametrize("address", DEAD)
def test_a_storage_that_cannot_be_opened_is_refused_without_its_secret(address, hurried, monkeypatch, capsys):
    searched = ("-m", "hydra/sweeper=optuna", "experiment=impulse", "conv=same,full")
    assert typed(monkeypatch, *searched, f"hydra.sweeper.storage='{address}'") == 2
    said = capsys.readouterr()
    assert "hydra.sweeper.storage" in said.err
    assert SECRET.lower() not in (said.out + said.err).lower()


@pytest.mark.parametrize("address", [*DEAD, *OPEN])
def test_what_is_sealed_is_opened_whole_and_shown_once(address):
    plain = addresses.seal(address)
    assert addresses.opened(plain) == address
    assert addresses.seal(plain) == plain
    assert (plain == address) == (address in OPEN)
    assert SECRET not in plain


@pytest.mark.parametrize(
    "form", ["{}", "tracking.uri={}", "tracking.uri='{}'", "+x={{a:1,uri:'{}',sweep:x}}", "--uri={}"]
)
@pytest.mark.parametrize("address", [*DEAD, *OPEN])
def test_an_argument_keeps_its_form(form, address):
    assert addresses.sealed_argument(form.format(address)) == form.format(addresses.shown(address))


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(empty_store, workdir, monkeypatch):
    """MLflow's own server in this process: its address and the folder of its database and artifacts."""
    folder = workdir / "server"
    folder.mkdir()
    shutil.copy(empty_store, folder / "server.db")
    from mlflow.server import app, handlers

    monkeypatch.setattr(handlers, "_tracking_store", None)
    handlers.initialize_backend_stores(f"sqlite:///{folder}/server.db", default_artifact_root=str(folder / "artifacts"))
    served = make_server("127.0.0.1", 0, app, Threaded, Quiet)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{served.server_port}", folder
    served.shutdown()
    served.server_close()


def test_a_server_is_reached_with_the_secret_and_given_none(server, workdir, monkeypatch, capsys):
    address, folder = server
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", f"{SECRET}-of-the-variable")
    assert typed(monkeypatch, *IMPULSE, f"tracking.uri='http://bob:{SECRET}%40%2F@{address}'") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert SECRET not in said.out
    assert len(list((folder / "artifacts").rglob("config.yaml"))) == 1
    assert left(workdir) == []


def test_a_variable_with_an_address_is_as_secret(server, workdir, monkeypatch, capsys):
    address, folder = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://bob:{SECRET}@{address}")
    assert typed(monkeypatch, *IMPULSE) == 0
    monkeypatch.setattr(sys, "argv", ["sweeps"])
    assert sweeps_main(["sync"]) == 0
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert len(list((folder / "artifacts").rglob("config.yaml"))) == 1
    assert left(workdir) == []


STUDY = ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "conv=same,full")


@pytest.mark.parametrize("mode", [(), ("-m",), STUDY], ids=["single", "sweep", "study"])
def test_a_variable_that_an_override_names_is_not_copied(mode, hurried, monkeypatch, capsys):
    monkeypatch.setenv("LAB_STORE", f"http://bob:{SECRET}@127.0.0.1:9")
    assert typed(monkeypatch, *mode, *IMPULSE, "tracking.uri=${oc.env:LAB_STORE}") == 0
    said = capsys.readouterr()
    assert "sweeps sync" in said.err
    assert SECRET not in said.out + said.err
    assert left(hurried) == []


def test_a_config_file_of_ones_own_is_not_copied_with_its_secret(hurried, monkeypatch, capsys):
    own = hurried / "own"
    (own / "lab").mkdir(parents=True)
    (own / "lab" / "lab.yaml").write_text(
        f"# @package _global_\ntracking: {{uri: 'http://bob:{SECRET}@127.0.0.1:9'}}\n"
    )
    command = (f"--config-dir={own}", "+lab=lab", *IMPULSE)
    assert typed(monkeypatch, *command) == 0
    assert (hurried / ".hydra" / "config.yaml").exists()
    assert typed(monkeypatch, "-m", *command) == 0  # which reuses it
    assert (hurried / "runs" / ".hydra" / "multirun.yaml").exists()
    assert typed(monkeypatch, "--cfg=job", *command) == 0
    said = capsys.readouterr()
    assert "1 reused" in said.out or "(reused" in said.out
    assert "uri: http://127.0.0.1:9" in said.out
    assert SECRET not in said.out + said.err
    assert left(hurried) == [str(own / "lab" / "lab.yaml")]


def test_what_hydra_cannot_parse_is_no_obstacle_in_a_secret(hurried, monkeypatch, capsys):
    assert typed(monkeypatch, *IMPULSE, f"tracking.uri=http://bob:{SECRET}{{}}',=@127.0.0.1:9") == 0
    assert SECRET not in "".join(capsys.readouterr())
    assert left(hurried) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "tracking.uri='http://bob:S3cr@127.0.0.1:9",
        "tracking={uri:'http://bob:S3cr@127.0.0.1:9',swep:x}",
        "trakcing.uri=http://bob:S3cr@127.0.0.1:9",
        "hydra.sweeper.storag=postgresql://bob:S3cr@127.0.0.1:9",
        "tracking.uri={a:'http://bob:S3cr@127.0.0.1:9'}",
        "arch=http://bob:S3cr@127.0.0.1:9",
        "hydra.job.env_sett={MLFLOW_TRACKING_PASSWORD:S3cr}",
        "hydra.job.env_set={MLFLOW_TRACKING_TOKEN: 'S3cr',,}",
        "+aws.AWS_SECRET_ACCESS_KEY=S3cr",
    ],
)
def test_what_is_refused_is_named_without_its_secret(wrong, workdir, monkeypatch, capsys):
    assert typed(monkeypatch, "experiment=impulse", wrong) != 0
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert SECRET not in said.out + said.err


def test_a_traceback_holds_no_secret():
    """Of an exception that nobody foresaw, of which the library knows a part of the password alone."""
    program = """
import sys
from sweeps.addresses import guard, opened
guard()
print(sys.argv[1])
raise OSError("no host " + opened(sys.argv[1].partition("=")[2]).split("@", 1)[1])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, "tracking.uri=http://bob:a@S3cr/b@host"],
        capture_output=True,
        text=True,
        cwd=Path(addresses.__file__).parent.parent,
    )
    assert ended.stdout == "tracking.uri=http://host\n"
    assert "OSError: no host ***" in ended.stderr
    assert SECRET not in ended.stderr
