"""Commands as a user types them, without the seconds of importing: forked from a process that has the libraries loaded.

Each is a process in a session of its own, runs `python -m module` from an interpreter in which nothing of ours has run,
and ends as an interpreter does. What a command imports by itself is not to be learnt here: ask `sys.executable`.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = (
    "torchvision", "mlflow", "mlflow.store.tracking.sqlalchemy_store", "pandas", "matplotlib.figure", "hydra.main",
    "pydantic", "optuna", "equivariance.config", "equivariance.job",
)  # fmt: skip


class Started:
    """A command that runs; `pid` is its process and session.

    Args:
        folder: where it runs.
        arguments: a module and what follows.
        stdout, stderr: files of its own.
        environment: variables besides this process's.
    """

    def __init__(self, folder: Path, *arguments: str, stdout: int, stderr: int, **environment: str) -> None:
        self._status, theirs = os.pipe()
        own = {**os.environ, "OMP_NUM_THREADS": "1"}
        own.pop("MLFLOW_TRACKING_URI", None)  # which reading a store in this process has set
        wish = {"folder": str(folder), "arguments": arguments, "environment": {**own, **environment}}
        with tempfile.TemporaryFile("w+") as file:
            json.dump(wish, file)
            file.seek(0)
            socket.send_fds(_warm(), [b"."], [file.fileno(), stdout, stderr, theirs])
        os.close(theirs)
        self.pid = self._number()
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, or the signal's negative number. Raises: subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("command", timeout or 0)
            self.returncode = self._number()
            os.close(self._status)
        return self.returncode

    def _number(self) -> int:
        return int(os.read(self._status, 16))


def typed(folder: Path, *arguments: str, timeout: float = 280, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `python -m` with these arguments says in a folder, once it has ended."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = Started(folder, *arguments, stdout=out.fileno(), stderr=err.fileno(), **environment).wait(timeout)
        return subprocess.CompletedProcess(list(arguments), code, _read(out), _read(err))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@functools.cache
def _warm() -> socket.socket:
    """The line to the process that has the libraries loaded; one for all tests of this process."""
    ours, theirs = socket.socketpair()
    program = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(program, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()], start_new_session=True)
    theirs.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def serve(line: socket.socket) -> dict[str, Any]:
    """Forks a supervisor for each wish; returns, in the process that is to become the command, what is wished."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors leave no zombies
    while True:
        _, files, *_ = socket.recv_fds(line, 1, 4)
        if not files:
            os._exit(0)
        if not os.fork():
            line.close()
            return _supervise(*files)
        for file in files:
            os.close(file)


def _supervise(wish: int, stdout: int, stderr: int, status: int) -> dict[str, Any]:
    """Starts the command, tells its process, waits for it, tells its exit code; returns in the command alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        os.setsid()
        os.close(tell)
        for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), stdout, stderr)):
            os.dup2(file, number)
        with os.fdopen(wish) as file:
            wished: dict[str, Any] = json.load(file)
        for each in (stdout, stderr, status):
            os.close(each)
        return wished
    for file in (stdout, stderr, wish, tell):
        os.close(file)
    os.read(told, 1)  # it leads its session now
    os.write(status, f"{child:<15}\n".encode())
    _, how = os.waitpid(child, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(how):<15}\n".encode())
    os._exit(0)


def become(wished: dict[str, Any]) -> NoReturn:
    """Runs a module as `python -m` does."""
    module, *arguments = wished["arguments"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(wished["environment"])
    os.chdir(wished["folder"])
    sys.path[0] = wished["folder"]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    become(serve(socket.socket(fileno=int(sys.argv[1]))))
