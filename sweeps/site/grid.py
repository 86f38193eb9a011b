"""Tables for people as cells of html, each number with a link to the runs behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.site.provenance import Sources

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Cell:
    """A cell.

    Args:
        text: in it.
        source: anchor of the runs behind it; none: it is no number of ours.
        order: by which it is sorted; none: by its text.
    """

    text: str
    source: str = ""
    order: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table.

    Args:
        title: what it is of.
        columns: the headings.
        keys: how many of the first columns say what a row is.
        rows: the cells.
        sortable: whether a script, where one runs, sorts it.
    """

    title: str
    columns: list[str]
    keys: int
    rows: list[list[Cell]]
    sortable: bool = False


def grid(title: str, table: pandas.DataFrame, sources: Sources | None = None, sortable: bool = False) -> Grid:
    """A table as html has it.

    Args:
        title: what it is of.
        table: for people; its index says what a row is.
        sources: of its numbers; None: none are named.
        sortable: see `Grid`.
    """
    named = [n for n in table.index.names if n is not None]
    flat = table.reset_index() if named else table
    columns = [_name(column) for column in flat.columns]
    across = [n for n in table.columns.names if n is not None]
    rows = []
    for values in flat.itertuples(index=False, name=None):
        place: dict[str, Any] = {str(n): v for n, v in zip(named, values, strict=False)}
        cells = [Cell(_text(value), order=_number(value)) for value in values[: len(named)]]
        for column, value in zip(flat.columns[len(named) :], values[len(named) :], strict=True):
            parts = column if isinstance(column, tuple) else (column,)
            here = place | {str(n): p for n, p in zip(across, parts, strict=False)}
            source = sources.of(here) if sources and _text(value) and "published" not in _name(column) else None
            cells.append(Cell(_text(value), source.name if source else "", _number(value)))
        rows.append(cells)
    return Grid(title, columns, len(named), rows, sortable)


def _name(column: Any) -> str:
    return " ".join(filter(None, map(str, column))) if isinstance(column, tuple) else str(column)


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value) if value == value else None
    except (TypeError, ValueError):
        return None
