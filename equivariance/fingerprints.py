"""What the paths of a config hold, as digests."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache, partial
from pathlib import Path

from equivariance.config import Config, Data
from equivariance.errors import UserError, printable
from sweeps.digests import remembered


def fingerprints(config: Config) -> dict[str, str]:
    """What the config's paths hold, so that a moved folder is the same and a changed one is not.

    Digests are remembered beside the runs, so that the same command again reads no unchanged file.

    Raises: UserError: a missing folder or file.
    """
    found, runs = {}, Path(config.runs)
    if isinstance(config.data, Data) and config.data.name != "photos" and config.data.root:
        found["data.root"] = _folder(Path(config.data.root), 3 * config.data.pictures, runs)
    if config.init.checkpoint:
        found["init.checkpoint"] = _checkpoint(Path(config.init.checkpoint), runs)
    return found


@lru_cache(8)
def _folder(root: Path, count: int, runs: Path) -> str:
    """Once for all runs of a sweep, which see one state of the folder."""
    from equivariance.data import folder_fingerprint

    return folder_fingerprint(root, count, partial(remembered, memo=_memo(root, runs)))


@lru_cache(8)
def _checkpoint(path: Path, runs: Path) -> str:
    """Once for all runs of a sweep, as of a folder."""
    if not path.is_file():
        raise UserError(f"init.checkpoint={printable(path)}: no such file")
    try:
        return remembered([path], _memo(path, runs))[0]
    except OSError as error:
        raise UserError(f"init.checkpoint={printable(path)}: cannot be read ({error.strerror})") from error


def _memo(path: Path, runs: Path) -> Path:
    """Where the digests of a folder's files, or of a file, are remembered."""
    return runs / ".digests" / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]}.json"
