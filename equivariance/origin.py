"""Which code computed a run: the package's version, and the commit where it runs from a checkout of its own."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Files that lie side by side in a checkout, and nowhere else: an installed package has the config tree inside.
TRACKED = ("equivariance/origin.py", "conf/config.yaml")


def release() -> str | None:
    """The version of the installed package; None: it is not installed."""
    try:
        return version("equivariance")
    except PackageNotFoundError:
        return None


def circumstances() -> dict[str, str]:
    """What besides the code and the device decides how sums are rounded."""
    import torch

    return {"torch": str(torch.__version__), "threads": str(torch.get_num_threads())}


@lru_cache(1)
def commit() -> str | None:
    """The commit of the code that runs, with a mark where the tree differs from it.

    Returns: None where the package does not lie in a checkout of its own: an installed one may lie in another's.
    """
    root = Path(__file__).resolve().parents[1]
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return None
        _git(root, "ls-files", "--error-unmatch", *TRACKED)
        return _git(root, "describe", "--always", "--dirty", "--abbrev=40")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    """What git says in a folder, whatever repository a hook or a shell has chosen by GIT_DIR and the like."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment)
    return done.stdout.strip()
