"""A claim on a file: held by one process at a time, freed by the kernel when that process dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Network file systems without a lock service: work goes on unclaimed, since what is written is written atomically.
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


@contextmanager
def claim(path: Path, wait: bool = False) -> Iterator[bool]:
    """Claims a file as long as the block runs.

    Args:
        path: made where it is missing, and left there: removing it could split a claim in two.
        wait: until whoever holds it is done.
    Yields: Whether it is ours; always true with `wait`, and where the file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _locked(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    finally:
        os.close(file)  # which frees it


def free(path: Path) -> bool:
    """Whether nobody holds the claim at this moment; a file that is missing is free."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return True
    try:
        return _locked(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(file)


def _locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True
