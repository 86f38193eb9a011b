"""The atlas as a file: a row a network, and above them the versions that the rows are of."""

from __future__ import annotations

import csv
import io
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sweeps import records

COLUMNS = (
    *("library", "family", "network", "kind", "parameters", "input", "field", "stride", "border", "halo"),
    *("even_below", "even_above", "uneven", "forbids", "leak_same", "leak_full", "leak_unbounded"),
    *("trained_same", "trained_full", "trained_unbounded"),
)
SECONDS = 120.0  # of one processor core, for the geometry of one network; most take 2 to 10
PICTURES = 32  # on which leak distances are measured
Rows = dict[tuple[str, str], dict[str, str]]


def read(path: Path) -> Rows:
    """The rows that there are, by library and name; none where there is no file.

    Raises: ValueError: the file is no such table.
    """
    if not path.exists():
        return {}
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = csv.DictReader(lines)
    if tuple(found.fieldnames or ()) != COLUMNS:
        raise ValueError("other columns")
    return {(row["library"], row["network"]): row for row in found}


def written(rows: Rows, path: Path) -> None:
    """Writes the table, by library, family and name."""
    text = io.StringIO()
    text.write(f"# {versions()}\n")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(sorted(rows.values(), key=lambda row: (row["library"], row["family"], row["network"])))
    records.write(path, text.getvalue().encode())


def versions() -> str:
    """What the networks are of."""
    found = []
    for name in ("torchvision", "timm", "torch"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
