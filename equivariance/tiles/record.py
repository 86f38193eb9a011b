"""What of a tiled run is finished: a small file beside its output, by which a killed run goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from equivariance.errors import UserError, reason
from equivariance.tiles.statistics import Moments


class Record:
    """Lines of JSON: what the run is, then each statistic and each finished tile.

    Args:
        path: the file; None: nothing is kept.
        identity: what the run is; a record of another one is refused.

    Attributes:
        goes_on: whether there was a record before.
    Raises: UserError: the record is of another run, or cannot be written.
    """

    def __init__(self, path: Path | None, identity: dict[str, Any]) -> None:
        self.path = path
        self.moments: dict[int, tuple[int, Moments]] = {}  # by number, with how many batches they are of
        self.done: set[int] = set()
        lines = _lines(path) if path is not None else []
        if lines and lines[0] != identity:
            differs = [k for k in identity if lines[0].get(k) != identity[k]]
            raise UserError(
                f"{path}: the record of another run, which differs in {', '.join(differs)}; remove it first"
            )
        self.goes_on = bool(lines)
        for line in lines[1:]:
            self._take(line)
        if path is not None:  # also without what a kill left of a last line
            text = "".join(f"{json.dumps(line)}\n" for line in [identity, *lines[1:]])
            draft = path.with_name(f"{path.name}.partial")
            try:
                draft.write_text(text)
                draft.replace(path)
            except OSError as error:
                raise UserError(f"{path}: {reason(error)}") from error

    def forget_tiles(self) -> None:
        """Takes no tile for finished: what was kept of them is gone."""
        if self.done:
            self.done.clear()
            self._write([{"forgotten": True}])

    def statistic(self, number: int, batches: int, moments: Moments) -> None:
        """Notes a statistic, or what is gathered of it after so many batches."""
        found = {"count": moments.count, "mean": moments.mean.tolist(), "squares": moments.squares.tolist()}
        line = {"statistic": number, "batches": batches, **found}
        self._take(line)
        self._write([line])

    def tiles(self, numbers: list[int]) -> None:
        """Notes tiles as finished, once their output is kept."""
        self.done.update(numbers)
        self._write([{"tile": number} for number in numbers])

    def _take(self, line: dict[str, Any]) -> None:
        if "tile" in line:
            self.done.add(line["tile"])
        elif "forgotten" in line:
            self.done.clear()
        else:
            mean, squares = (torch.tensor(line[key], dtype=torch.float64) for key in ("mean", "squares"))
            self.moments[line["statistic"]] = line["batches"], Moments(line["count"], mean, squares)

    def _write(self, lines: list[dict[str, Any]]) -> None:
        if self.path is not None:
            with self.path.open("a") as file:
                file.write("".join(f"{json.dumps(line)}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a record; none where there is no such file."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:  # cut off by a kill
            break
    return found
