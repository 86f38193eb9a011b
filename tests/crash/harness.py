"""Sweeps as a user starts them, each in a session of its own, so that every process of it can be found and killed."""

import fcntl
import io
import os
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple

from sweeps.__main__ import main
from tests.warm import Started

# Seconds that no sweep, and no wait for one, should ever need: many times what they take on two busy cores.
DEADLINE = 200.0
# Seconds within which children are gone, by promise.
SOON = 5.0
CONVS = "conv=valid,same,circular,replicate,reflect,full,unbounded,partial"
# 24 real runs of about 0.2 s for two workers, each with a history, a checkpoint and a film.
ROOK = ("experiment=rook", "device=cpu", "optim.epochs=60", CONVS, "seed=0,1,2", "hydra.launcher.workers=2")
# Eight of them, for the forms of tests that run each time.
EIGHT = tuple("seed=0" if override.startswith("seed=") else override for override in ROOK)
# 24 real runs of milliseconds, where only starting and writing count.
IMPULSE = ("experiment=impulse", "device=cpu", CONVS, "experiment.tap=bottom-right,top-left,centre")


class Ended(NamedTuple):
    """What a sweep said, and its exit code as a shell gives it: 128 and the signal's number for a process killed."""

    code: int
    out: str
    err: str


class Sweep:
    """A sweep that runs.

    Args:
        folder: made where it is missing; where `runs`, `mlflow.db` and so on come to lie.
        overrides: of `python -m equivariance.run -m`.
        limit: called in the new process before it runs.
        terminal: that it controls and writes to, by the number of the file; else its output goes to files.
    """

    def __init__(
        self,
        folder: Path,
        *overrides: str,
        limit: Callable[[], None] | None = None,
        terminal: int | None = None,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - read in `ended`

        command = ("equivariance.run", "-m", *overrides)
        self.process: Started | subprocess.Popen[bytes]
        if terminal is None and limit is None:
            files = {"stdout": self._out.fileno(), "stderr": self._err.fileno()}
            self.process = Started(folder, *command, **files)
        else:
            self.process = self._limited(command, limit, terminal)

    def _limited(
        self, command: tuple[str, ...], limit: Callable[[], None] | None, terminal: int | None
    ) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("MLFLOW_TRACKING_URI", None)  # which reading a store in this process has set

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job, as pytest may be one, ignores it
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
            if limit is not None:
                limit()

        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=self._out if terminal is None else terminal,
            stderr=self._err if terminal is None else terminal,
            start_new_session=True,
            preexec_fn=prepare,
        )

    def ended(self, seconds: float = DEADLINE) -> Ended | None:
        """Waits; None: still running after so many seconds."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._out.seek(0)
        self._err.seek(0)
        return Ended(code if code >= 0 else 128 - code, self._out.read().decode(), self._err.read().decode())

    def processes(self) -> set[int]:
        """Every process of the sweep, wherever in the tree it is."""
        return {pid for pid, (_, session) in _alive().items() if session == self.process.pid}

    def workers(self) -> list[int]:
        """Processes that compute: the children of the one from which workers are forked."""
        parents = {pid: parent for pid, (parent, session) in _alive().items() if session == self.process.pid}
        return sorted(pid for pid, parent in parents.items() if parents.get(parent) == self.process.pid)

    def kill(self) -> None:
        """SIGKILL to the parent and all others at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)

    def gone(self, seconds: float = SOON) -> bool:
        """Whether no process of the sweep is left after at most so many seconds."""
        return until(lambda: not self.processes(), seconds)


def _alive() -> dict[int, tuple[int, int]]:
    """Parent and session of every process that is not a zombie."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, session = file.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # ended meanwhile
            continue
        if state not in "ZX":
            found[int(file.parent.name)] = int(parent), int(session)
    return found


def until(true: Callable[[], object], seconds: float = DEADLINE) -> bool:
    """Waits for a condition; False: it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def results(folder: Path) -> dict[Path, bytes]:
    """Of every run directory that has one, what is in result.json."""
    return {file.parent: file.read_bytes() for file in folder.glob("runs/*/*/result.json")}


def starts(folder: Path) -> Counter[Path]:
    """How often each run was started, in which process ever."""
    return Counter({file.parent: file.read_text().count(": started by process ") for file in _logs(folder)})


def computing(folder: Path) -> dict[int, Path]:
    """Runs that some process has begun and neither ended nor given up, by the process."""
    found = {}
    for file in _logs(folder):
        last = [line for line in file.read_text().splitlines() if line.startswith("--- ")][-1:]
        if last and ": started by process " in last[0]:
            found[int(last[0].split()[-1])] = file.parent
    return found


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs/*/*/run.log"))


def table(folder: Path, artefact: str = "rook") -> str:
    """The artefact's table, as `python -m sweeps <artefact> --format csv` prints it in the folder."""
    options = ["--format", "csv", "--runs", folder / "runs", "--results", folder / "results"]
    said = io.StringIO()
    with redirect_stdout(said):
        code = main([artefact, *map(str, options), "--uri", f"sqlite:///{folder / 'mlflow.db'}"])
    assert code == 0
    return said.getvalue()
