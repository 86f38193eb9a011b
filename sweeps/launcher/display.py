"""What a sweep says while it runs: a line a run, and one live line of where it stands."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TextIO

from tqdm import tqdm

from sweeps.launcher.signals import Stopped
from sweeps.plain import plain

# Seconds between plain lines of where the sweep stands, where there is no terminal for a live one.
EVERY = 30.0
# Seconds between changes of the live line.
SHOWN = 0.2


def say(line: str) -> None:
    """A line for the user, at once, above the live line.

    Raises: Stopped: nobody reads any more, as after `| head`.
    """
    _write(line, sys.stdout)


def complain(line: str) -> None:
    """A line on standard error; raises as `say`."""
    _write(line, sys.stderr)


def _write(line: str, stream: TextIO) -> None:
    try:
        with tqdm.external_write_mode(stream):
            print(_printable(line, stream), file=stream, flush=True)
    except BrokenPipeError:
        abandon(stream)
        raise Stopped(signal.SIGPIPE) from None


def _printable(line: str, stream: TextIO) -> str:
    """A line as a stream takes it, whatever texts of users and libraries it holds."""
    encoding = stream.encoding or "utf-8"
    return plain(line).encode(encoding, "backslashreplace").decode(encoding)


def abandon(stream: TextIO) -> None:
    """Sends what is still to be written nowhere: Python would fail over it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Display:
    """The live line: done, running, failed, the time left, the last result.

    Args:
        total: runs that will be computed.
    """

    def __init__(self, total: int) -> None:
        shown = sys.stderr.isatty() and total > 0
        form = "{n_fmt}/{total_fmt} done |{bar:20}| {elapsed}, about {remaining} left{postfix}"
        self._bar = tqdm(total=total, file=sys.stderr, bar_format=form, disable=not shown, leave=False)
        self._shown, self._began, self._said = shown, time.monotonic(), time.monotonic()
        self._total, self._done, self._failed, self._last = total, 0, 0, ""

    def ended(self, last: str, failed: bool) -> None:
        """A run has ended for good; `last` says which, and with what."""
        self._done += 1
        self._failed += failed
        self._last = _printable(last, sys.stderr)
        self._bar.update()

    def tick(self, running: int, waiting: int) -> None:
        """Shows how many runs run now, and how many another sweep is computing."""
        now = time.monotonic()
        if now - self._said < (SHOWN if self._shown else EVERY):
            return
        self._said = now
        elsewhere = f", {waiting} in another sweep" if waiting else ""
        state = f"{running} running{elsewhere}, {self._failed} failed"
        if self._shown:
            width = max(0, (self._bar.ncols or 120) - 90)
            self._bar.set_postfix_str(f"{state}; last: {self._last[:width]}" if self._last else state)
        else:
            left = (now - self._began) / self._done * (self._total - self._done) if self._done else None
            complain(f"{self._done} of {self._total} done, {state}" + (f", {clock(left)} left" if left else ""))

    def close(self) -> None:
        """Takes the live line away."""
        self._bar.close()


def clock(seconds: float) -> str:
    """A duration in words, as exact as an estimate is."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {max(1, round(seconds))} s"
