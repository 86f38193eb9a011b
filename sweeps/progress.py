"""Progress of long work: a bar with the time left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
# Seconds between plain lines.
EVERY = 10.0


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yields the items and reports on standard error how far it is.

    Args:
        items: what is worked through.
        total: how many there are.
        what: a few words naming the work.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=what, leave=False)
        return
    start = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said > EVERY:
            said = now
            left = (now - start) / done * (total - done)
            print(f"{what}: {done} of {total}, about {left:.0f} s left", file=sys.stderr, flush=True)
        yield item
