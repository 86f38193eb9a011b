"""What the paths of a config hold, as digests."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache, partial
from pathlib import Path

from equivariance.config import PythonArch, Run
from equivariance.config.data import Pictures
from equivariance.config.labelled import Labelled
from equivariance.errors import UserError, printable
from equivariance.registries import DATA
from sweeps.digests import remembered
from sweeps.registry import look_here

# So many files of a folder of classes count by their content, the others by name and size: ImageNet has 1.3 million.
BY_CONTENT = 20_000


def fingerprints(config: Run) -> dict[str, str]:
    """What the config's paths and modules hold, so that a moved folder is the same and a changed one is not.

    Of a module of one's own its own file counts, not what it imports.

    Digests are remembered beside the runs, so that the same command again reads no unchanged file.

    Raises: UserError: a missing folder or file.
    """
    found, runs = {}, Path(config.runs)
    if isinstance(config.data, Pictures) and DATA.get(config.data.name).rooted and config.data.root:
        found["data.root"] = _folder(Path(config.data.root), 3 * config.data.pictures, runs)
    reads = getattr(config.data, "files", None)
    if reads and config.data.root:  # type: ignore[attr-defined]
        found["data.root"] = _files(tuple(reads()), runs)
    if isinstance(config.data, Labelled) and config.data.root:
        found |= _labelled(config.data, runs)
    if config.init.checkpoint:
        found["init.checkpoint"] = _checkpoint(Path(config.init.checkpoint), runs)
    if isinstance(config.arch, PythonArch):
        found["arch.name"] = _module("arch.name", config.arch.name.partition(":")[0], runs)
    return found | {f"import.{name}": _module("import", name, runs) for name in config.imports}


def _module(key: str, name: str, runs: Path) -> str:
    """The source of a module of one's own.

    Raises: UserError: there is none; says which key names it.
    """
    look_here()
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not Path(spec.origin).is_file():
        raise UserError(f"{key}={name}: no such module in this folder or among the installed packages")
    return remembered([Path(spec.origin)], _memo(Path(spec.origin), runs))[0]


def _labelled(data: Labelled, runs: Path) -> dict[str, str]:
    """Of what lies in a folder; of what torchvision checks itself, nothing."""
    from equivariance.data.labelled import held

    root, files = Path(str(data.root)), tuple(held(data))
    return {"data.root": _among(root, files, runs)} if files else {}


@lru_cache(8)
def _among(root: Path, files: tuple[Path, ...], runs: Path) -> str:
    """Some of the files in a folder; once for all runs of a sweep, too."""
    from equivariance.data.folder import fingerprint_of

    return fingerprint_of(list(files), root, BY_CONTENT, partial(remembered, memo=_memo(root, runs)))


@lru_cache(8)
def _folder(root: Path, count: int, runs: Path) -> str:
    """Once for all runs of a sweep, which see one state of the folder."""
    from equivariance.data import folder_fingerprint

    return folder_fingerprint(root, count, partial(remembered, memo=_memo(root, runs)))


@lru_cache(8)
def _files(paths: tuple[Path, ...], runs: Path) -> str:
    """Files that a section of the config names, in their order; once for all runs of a sweep, as of a folder."""
    try:
        digests = remembered(list(paths), _memo(paths[0], runs))
    except OSError as error:
        raise UserError(f"data.root: {printable(error.filename or '')} cannot be read ({error.strerror})") from error
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]


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
