"""A worker: a process that has its libraries loaded and computes one job after another."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any, Literal

from sweeps.launcher.attempt import attempt, output_to
from sweeps.launcher.source import Job, Outcome, Pruned, Report, Row

Task = Callable[[Report], Any]

# Seconds that a worker may take to start and to answer a question: the import of torch from a slow disk is one.
PATIENCE = 600.0


class Died(Exception):  # noqa: N818
    """The process ended without an answer; says how."""


class Worker:
    """The parent's end of one worker process.

    Args:
        context: how processes are made.
    """

    def __init__(self, context: ForkServerContext) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None
        self.began = 0.0

    def call(self, function: Callable[..., Any], *arguments: Any, within: float = PATIENCE) -> Any:
        """Computes a function there and waits for its value.

        Args:
            function: can be imported there, as its arguments can be sent.
            arguments: of it.
            within: seconds after which the worker is ended.
        Raises: Died: it ended meanwhile, or was ended. RuntimeError: the function raised.
        """
        self._send(partial(_call, function, arguments))
        if not self.connection.poll(within):
            self.process.kill()
            raise Died(f"gave no answer in {within:g} s")
        kind, value = self.receive()
        if kind == "error":
            raise RuntimeError(value)
        return value

    def start(self, job: Job) -> None:
        """Gives it a job; its messages come through `receive`.

        Raises: Died: it ended meanwhile.
        """
        self.job, self.began = job, time.monotonic()
        self._send(partial(_attempt, job))

    def receive(self) -> tuple[Literal["row", "answer", "error"], Any]:
        """The next message: a row, which wants `answer`, or what the task gave.

        Raises: Died: it ended without.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            raise Died(self._how()) from None

    def answer(self, go_on: bool) -> None:
        """Says whether the run that sent a row is to go on."""
        self._send(go_on)

    def close(self, patience: float = 0.0) -> None:
        """Ends the process: asks first and kills after so many seconds."""
        self.process.terminate()
        self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(2.0)
        self.connection.close()

    def _send(self, message: Any) -> None:
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise Died(self._how()) from None

    def _how(self) -> str:
        self.process.join(2.0)
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"its process ended with code {code}"


def _serve(connection: Connection) -> None:
    """Computes tasks until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    faulthandler.enable()
    threading.Thread(target=_follow_parent, daemon=True).start()

    def report(row: Row) -> None:
        connection.send(("row", row))
        if not connection.recv():
            raise Pruned

    while True:
        try:
            task: Task = connection.recv()
            connection.send(task(report))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # the parent is gone


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # nobody is left who could take a result


def _attempt(job: Job, report: Report) -> tuple[str, Outcome]:
    with output_to(job.record):
        return "answer", attempt(job, report)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], report: Report) -> tuple[str, Any]:
    try:
        return "answer", function(*arguments)
    except Exception as error:  # whatever it is, the parent is told; here it can be seen where
        traceback.print_exc()
        return "error", f"{type(error).__name__}: {error}"
