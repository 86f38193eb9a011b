"""What an artefact gives the site besides its table and figure: pages of their own, of texts, tables and figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        lines: paragraphs of plain text.
        table: what is shown as a table, its index as the first columns; None: none.
        figure: what is drawn; None: nothing.
        caption: what the figure shows, in words, also for those who cannot see it.
        sortable: whether the table is long enough to be sorted by its columns.
    """

    title: str
    lines: tuple[str, ...] = ()
    table: pandas.DataFrame | None = None
    figure: Figure | None = None
    caption: str = ""
    sortable: bool = False


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        title: its heading; its address is made of it.
        lead: one sentence below it.
        sections: in their order.
        runs: `run_id` of the runs from which its numbers come.
        facts: a few numbers, each with what it is: `("433", "pixels: certified border")`.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    runs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = field(default=())
