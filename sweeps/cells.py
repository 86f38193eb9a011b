"""The identities of a sweep's cells: composed once, then remembered as long as config tree and code are the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import yaml

from sweeps.records import write

Cell = tuple[str, ...]
NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Cells:
    """The cells of a grid.

    Args:
        name: of the sweep file.
        axes: and their values, as text.
        sources: folders of the config tree and the code; where they change, so may identities.
        memory: file in which identities are remembered; one that cannot be read or written costs time alone.
    """

    def __init__(self, name: str, axes: dict[str, list[str]], sources: tuple[Path, ...], memory: Path) -> None:
        self._name, self._axes, self._sources, self._memory = name, axes, sources, memory
        self._numeric = [key for key, values in axes.items() if all(NUMBER.fullmatch(v) for v in values)]
        self._numbers = list(product(*(axes[key] for key in self._numeric)))

    def identities(self, wanted: Iterable[Cell]) -> dict[Cell, str]:
        """What the runs of some cells would be called.

        Args:
            wanted: values of the axes, in their order.
        """
        parts = {cell: self._parts(cell) for cell in wanted}
        known = self._known({" ".join(choice) for choice, _ in parts.values()})
        return {cell: known[" ".join(choice)][number] for cell, (choice, number) in parts.items()}

    def _parts(self, cell: Cell) -> tuple[list[str], int]:
        """The overrides of a cell that are no numbers, and which of all combinations of numbers it has."""
        values = dict(zip(self._axes, cell, strict=True))
        choice = [f"{key}={value}" for key, value in values.items() if key not in self._numeric]
        return choice, self._numbers.index(tuple(values[key] for key in self._numeric))

    def _known(self, choices: set[str]) -> dict[str, list[str]]:
        if not choices:
            return {}
        digest = _digest(self._sources)
        known = self._remembered(digest)
        missing = sorted(choices - known.keys())
        if missing:
            from hydra_plugins.equivariance_sweeps.cells import identities  # composing takes a second

            points = [{k: yaml.safe_load(v) for k, v in zip(self._numeric, n, strict=True)} for n in self._numbers]
            found = identities(self._name, [choice.split() for choice in missing], points)
            known |= dict(zip(missing, found, strict=True))
            with contextlib.suppress(OSError):
                write(self._memory, json.dumps({"of": digest, "identities": known}).encode())
        return known

    def _remembered(self, digest: str) -> dict[str, list[str]]:
        try:
            found = json.loads(self._memory.read_bytes())
            return dict(found["identities"]) if found["of"] == digest else {}
        except (OSError, ValueError, TypeError, KeyError):
            return {}


def _digest(folders: tuple[Path, ...]) -> str:
    """Of all that may decide an identity: config files and code."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted(p for suffix in ("yaml", "py") for p in folder.rglob(f"*.{suffix}")):
            content = path.read_bytes()
            found.update(f"{path.relative_to(folder)} {len(content)} ".encode() + content)
    return found.hexdigest()
