"""Digests of files' contents, remembered for files that have not changed since."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweeps.records import write

# Seconds for which a changed file may keep its times: those of file systems go in steps of up to two.
STEP_OF_TIMES = 2.0
DIGEST = re.compile("[0-9a-f]{16}")
# Size, time of content, time of inode, digest.
Entry = list[Any]


def remembered(files: list[Path], memo: Path) -> list[str]:
    """Sixteen hexadecimal digits of each file's contents.

    A file whose path, size and times (of content and of inode, in nanoseconds) are those of the memo is not read again.
    Several processes may share a memo: it is replaced as a whole, and what one forgets of another is only read again.

    Args:
        files: to read.
        memo: a JSON file, made anew where it is missing or broken.
    Raises: OSError: one of the files cannot be read.
    """
    known = _load(memo)
    entries = {path: _entry(path, known.get(path)) for path in map(os.path.abspath, files)}
    new = {path: entry for path, (entry, lasting) in entries.items() if lasting and entry != known.get(path)}
    if new:
        with suppress(OSError):  # a full disk, say
            write(memo, json.dumps(_load(memo) | new).encode())
    return [str(entries[os.path.abspath(file)][0][-1]) for file in files]


def file_digest(path: Path) -> str:
    """Sixteen hexadecimal digits of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _entry(path: str, known: Entry | None) -> tuple[Entry, bool]:
    """What to remember of a file, and whether a later change is sure to show in its times."""
    began, state = time.time(), _state(path)
    if known is not None and known[:-1] == state:
        return known, True
    digest = file_digest(Path(path))
    return [*state, digest], _state(path) == state and state[-1] < (began - STEP_OF_TIMES) * 1e9


def _state(path: str) -> list[int]:
    now = os.stat(path)
    return [now.st_size, now.st_mtime_ns, now.st_ctime_ns]


def _load(memo: Path) -> dict[str, Entry]:
    try:
        found = json.loads(memo.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {path: e for path, e in entries if isinstance(e, list) and len(e) == 4 and DIGEST.fullmatch(str(e[-1]))}
