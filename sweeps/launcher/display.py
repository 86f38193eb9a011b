"""The live line of a sweep: where it stands."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from sweeps.terminal import clock, complain, printable

# Seconds between plain lines of where the sweep stands, where there is no terminal for a live one.
EVERY = 30.0
# Seconds between changes of the live line.
SHOWN = 0.2


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
        self._last = printable(last, sys.stderr)
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
