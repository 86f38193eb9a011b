"""Which runs stand behind a number of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Source:
    """The runs behind one or several numbers.

    Args:
        name: its anchor.
        what: the settings that tell them from the table's other runs.
        runs: rows of the frame.
    """

    name: str
    what: str
    runs: list[dict[str, Any]]

    @property
    def summary(self) -> str:
        """How many runs, of which seeds, on which devices, by which commits."""
        said = [f"{len(self.runs)} run{'s' * (len(self.runs) != 1)}"]
        for title, key in (("seed", "params.seed"), ("device", "tags.device"), ("commit", "tags.commit")):
            values = list(dict.fromkeys(str(run[key]) for run in self.runs if _known(run.get(key))))
            if values:
                said.append(f"{title} {', '.join(v[:12] if title == 'commit' else v for v in values)}")
        return " · ".join(said)


@dataclass
class Sources:
    """All that a page refers to, each set of runs once.

    Args:
        frame: a row a run, see `sweeps.tables.cells`.
        prefix: of the anchors.
        found: by the runs' ids.
    """

    frame: pandas.DataFrame
    prefix: str
    found: dict[tuple[str, ...], Source] = field(default_factory=dict)

    def of(self, coordinates: dict[str, Any]) -> Source | None:
        """The runs with these settings.

        Args:
            coordinates: of a table's cell, by the names of its rows and columns; names that are no setting of a run
                tell nothing.
        Returns: None where no run is like that, as for a published value, or no name is a setting.
        """
        rows, said = self.frame, []
        for name, value in coordinates.items():
            column = self._column(name)
            if column is not None:
                said.append(f"{name} {value}")
                rows = rows.loc[[_same(value, other) for other in rows[column]]]
        ids = tuple(rows["run_id"])
        if not said or not ids:
            return None
        name = f"{self.prefix}-{len(self.found) + 1}"
        return self.found.setdefault(ids, Source(name, ", ".join(said), _rows(rows)))

    def _column(self, name: str) -> str | None:
        """The frame's column of a setting; a table may leave out the section that it is of."""
        whole = [c for c in self.frame.columns if c == f"params.{name}"]
        ends = [c for c in self.frame.columns if c.startswith("params.") and c.endswith(f".{name}")]
        return next(iter(whole or ends), None) if len(whole or ends) == 1 else None


def _rows(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dict("records")  # type: ignore[return-value]


def _known(value: Any) -> bool:
    return value is not None and value == value


def _same(said: Any, value: Any) -> bool:
    """Whether a table's word for a setting means a run's value; a hyphen is said of none."""
    if not _known(value) if not isinstance(value, list | dict) else False:
        return str(said) == "-"
    if str(said) == str(value):
        return True
    try:
        return float(said) == float(value)
    except (TypeError, ValueError):
        return False
