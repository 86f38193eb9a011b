"""Names of files that are being written: they tell who writes, so that nobody removes the file of a living writer."""

from __future__ import annotations

import glob
import os
import re
import secrets
import socket
import time
from functools import lru_cache
from pathlib import Path

# How such a name begins.
PARTIAL = ".partial-"
# Seconds after which a file is not being written any more, wherever its writer is: none here takes a minute.
STALE = 86_400.0
_WRITER = re.compile(r"\.([^.]+)-(\d+)-[0-9a-f]+$")


def partial_name(name: str) -> str:
    """A name for this process to write a file under, until it is whole; another at each call.

    Args:
        name: of the file.
    """
    return f"{PARTIAL}{name}.{_machine()}-{os.getpid()}-{secrets.token_hex(8)}"


def remove_dead(path: Path) -> None:
    """Removes what writers of a file left that have ended: no lock is asked, since not every file system has them.

    Args:
        path: the file, under its own name.
    """
    for partial in path.parent.glob(f"{PARTIAL}{glob.escape(path.name)}.*"):
        if _is_dead(partial):
            partial.unlink(missing_ok=True)


def _is_dead(partial: Path) -> bool:
    """Whether its writer has ended; of one on another machine only its age tells."""
    writer = _WRITER.search(partial.name)
    if writer and writer[1] == _machine() and not _lives(int(writer[2])):
        return True
    try:
        return time.time() - partial.stat().st_mtime > STALE
    except FileNotFoundError:  # its writer has finished it
        return False


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


@lru_cache(1)
def _machine() -> str:
    """The host and, where there are containers, the space in which numbers of processes mean something."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{re.sub('[^A-Za-z0-9]', '_', socket.gethostname())[:64]}_{space}"
