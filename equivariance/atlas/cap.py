"""A network that takes too long ends with a reason instead of keeping all others waiting."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Overtime(BaseException):
    """The processor time of a network is spent; no `except Exception` of other people's code may swallow it."""


class Cap:
    """So much processor time for all that is asked of one network.

    Args:
        seconds: of this process on the processor, not on the clock: other programs do not change what is found.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.process_time() + seconds

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """What runs inside is stopped when the time is spent; nothing is, outside of the main thread.

        Raises: Overtime.
        """
        left = self._end - time.process_time()
        if left <= 0:
            raise Overtime
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGPROF, _stop)
        signal.setitimer(signal.ITIMER_PROF, left)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def __str__(self) -> str:
        return f"takes more than {self.seconds:g} s of one processor core"


def _stop(number: int, frame: FrameType | None) -> None:
    raise Overtime
