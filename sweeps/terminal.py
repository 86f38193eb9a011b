"""The terminal: lines for the user, a bar with the time left, plain lines where there is no terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from sweeps.launcher.signals import Stopped
from sweeps.plain import plain

T = TypeVar("T")
# Seconds between plain lines.
EVERY = 10.0


def say(line: str) -> None:
    """A line for the user, at once, above the live line.

    Raises: Stopped: nobody reads any more, as after `| head`.
    """
    _write(line, sys.stdout)


def complain(line: str) -> None:
    """A line on standard error; raises as `say`."""
    _write(line, sys.stderr)


def _write(line: str, stream: TextIO) -> None:
    from tqdm import tqdm

    try:
        with tqdm.external_write_mode(stream):
            print(printable(line, stream), file=stream, flush=True)
    except BrokenPipeError:
        abandon(stream)
        raise Stopped(signal.SIGPIPE) from None


def printable(line: str, stream: TextIO) -> str:
    """A line as a stream takes it, whatever texts of users and libraries it holds."""
    encoding = stream.encoding or "utf-8"
    return plain(line).encode(encoding, "backslashreplace").decode(encoding)


def abandon(stream: TextIO) -> None:
    """Sends what is still to be written nowhere: Python would fail over it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def track(items: Iterable[T], total: int, what: str, images: int = 0) -> Iterator[T]:
    """Yields the items and reports on standard error how far it is.

    Args:
        items: what is worked through.
        total: how many there are.
        what: a few words naming the work.
        images: in each item; how many a second are then told, too.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK") != "0":  # of several processes the first speaks
        yield from items
        return
    if sys.stderr.isatty():
        from tqdm import tqdm

        unit = " images" if images else "it"
        yield from tqdm(items, total=total, desc=what, leave=False, unit=unit, unit_scale=images or False)
        return
    start = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said > EVERY:
            said = now
            left = (now - start) / done * (total - done)
            rate = f", {images * done / (now - start):.0f} images a second" if images else ""
            print(f"{what}: {done} of {total}{rate}, about {left:.0f} s left", file=sys.stderr, flush=True)
        yield item


def clock(seconds: float) -> str:
    """A duration in words, as exact as an estimate is."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {max(1, round(seconds))} s"
