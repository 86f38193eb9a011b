"""Environments made as the images make theirs, and a PostgreSQL as compose.yaml's service."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.docker.files import FOLDER, ROOT, SERVICES, copied, installation

PASSWORD = "only-for-this-test"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Runs the install step of a stage of the Dockerfile on what the stage copies; gives the environment's folder."""

    def install(stage):
        source, target = tmp_path_factory.mktemp("src"), tmp_path_factory.mktemp("opt") / "venv"
        for path in copied(stage):
            here = ROOT / path
            (shutil.copytree if here.is_dir() else shutil.copy)(here, source / path)
        command = [str(target) if word == "/opt/venv" else word for word in installation(stage)]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        return target

    yield install
    for venv in tmp_path_factory.getbasetemp().glob("opt*/venv"):
        shutil.rmtree(venv)  # a gigabyte each, which pytest would keep


@pytest.fixture(scope="session")
def server(installed):
    """The environment of the images `mlflow` and `dashboard`."""
    return installed("server-build")


@pytest.fixture
def free_port():
    """A port on the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_programs():
    """The folder of PostgreSQL's server programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))  # where Debian keeps them, off the PATH
    if not (found or shutil.which("pg_ctl")):
        pytest.skip("no PostgreSQL here: pg_ctl is not on the PATH (Debian: apt-get install postgresql)")
    return found[-1].parent if found else Path(shutil.which("pg_ctl")).resolve().parent


def owner():
    """Who runs PostgreSQL, which refuses root: its own user where this is root."""
    if os.getuid():
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("this is root, for whom PostgreSQL does not start, and there is no user 'postgres'")


@pytest.fixture
def postgres(free_port):
    """A new PostgreSQL with compose.yaml's user, its databases and a password.

    Gives: the environment with which libpq finds it where the address is 127.0.0.1.
    """
    programs, user = postgres_programs(), owner()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's own folders are closed to other users
    (folder / "password").write_text(PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)

    def run(*command, **options):
        return subprocess.run(command, user=user, cwd=folder, check=True, capture_output=True, timeout=60, **options)

    name = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    environment = {**os.environ, "PGPORT": str(free_port), "PGPASSWORD": PASSWORD}
    try:
        run(programs / "initdb", "-D", folder / "data", "-U", name, "--auth=scram-sha-256", "--pwfile=password")
        settings = f"-c listen_addresses=127.0.0.1 -c port={free_port} -c unix_socket_directories={folder} -c fsync=off"
        run(programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", settings, "start")
        first = SERVICES["postgres"]["environment"]["POSTGRES_DB"]
        psql = [programs / "psql", "-h", "127.0.0.1", "-U", name, "-v", "ON_ERROR_STOP=1"]
        run(*psql, "-d", "postgres", "-c", f"CREATE DATABASE {first}", env=environment)
        run(*psql, "-d", first, env=environment, input=(FOLDER / "databases.sql").read_bytes())
        yield environment
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)
