"""python -m sweeps ui: MLflow's page at the runs of the last sweep."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.launcher.signals import stoppable
from sweeps.terminal import complain, say
from sweeps.tracking.page import link
from sweeps.tracking.store import Store

# Seconds that MLflow may take to start.
PATIENCE = 120.0


def ui(store: Store) -> int:
    """Starts the page where the store is not a server already, prints and opens the link; until Ctrl-C.

    Args:
        store: whose runs are shown.
    Returns: the exit code.
    Raises: Exception: whatever MLflow raises where the store cannot be reached.
    """
    if store.is_server:
        return _tell(store, store.uri)
    try:
        with stoppable(), served(store) as (server, base):
            code = _tell(store, base)
            if code == 0:
                say("Ctrl-C ends it")
                server.wait()
            return code or 1
    except KeyboardInterrupt:
        return 0


def _tell(store: Store, base: str) -> int:
    address = link(store, base)
    if address is None:
        complain("no runs yet; for example: python -m equivariance.run -m border=0,16,32 conv=same,full")
        return 1
    say(address)
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        webbrowser.open(address)
    return 0


@contextmanager
def served(store: Store) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """MLflow's page of a store that is no server, on 127.0.0.1 at a free port.

    Raises: RuntimeError: it does not start.
    """
    _ = store.client  # makes the tables where they are missing
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            command,
            env=store.environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,  # so that it is ended with the workers that it starts
        )
        try:
            if not _answers(server, f"http://127.0.0.1:{port}"):
                said.seek(0)
                last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise RuntimeError(f"MLflow's server does not start: {last}")
            yield server, f"http://127.0.0.1:{port}"
        finally:
            _end(server)


def _answers(server: subprocess.Popen[bytes], base: str) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=5):  # noqa: S310 - of this machine
                return True
        except OSError:
            time.sleep(0.1)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
