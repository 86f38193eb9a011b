"""Jobs that workers can import: each computes by writing the record of a finished run."""

import os
import signal
import time
from functools import partial
from pathlib import Path

from sweeps.errors import NotFinite, UserError
from sweeps.launcher.source import Job
from sweeps.records import Record
from tests.sweeps.runs import finished_run


def job(runs: Path, border: int = 0, does: str = "finishes", force: bool = False) -> Job:
    """A run that `does` something; each attempt adds a line to `calls.txt`."""
    identity = finished_run(runs / "elsewhere", border=border)[0].identity
    record = Record(runs / "quadrant" / identity)
    return Job(record, f"run {border}", partial(work, runs, border, does), force)


def work(runs, border, does, report):
    """What the job does."""
    tries = calls(runs).count(border)
    with (runs / "calls.txt").open("a") as file:
        print(border, file=file)
    if does == "raises":
        print("some output")
        raise RuntimeError("out of memory")
    if does == "raises once" and not tries:
        raise RuntimeError("out of memory")
    if does == "mistakes":
        raise UserError("data.root=x: no such folder")
    if does == "diverges":
        raise NotFinite("not finite: loss nan")
    if does == "is killed" or (does == "is killed once" and not tries):
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "hangs":
        time.sleep(600)
    if does == "takes a while":
        time.sleep(0.5)
    if does == "reports":
        for epoch in range(5):
            report({"epoch": float(epoch), "validation_accuracy": 0.5})
    return finished_run(runs, border=border)[1]


def calls(runs: Path) -> list[int]:
    """The borders of all attempts, in their order."""
    path = runs / "calls.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def shut_down(count):
    """As `threads` of a machine: a worker that ends at its start."""
    os._exit(3)


def hang(*arguments):
    """As the estimate of a sweep that never comes."""
    time.sleep(600)
