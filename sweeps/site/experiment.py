"""What the site says of one experiment: its tables, figures and film, the runs behind them, and pages of its own."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweeps.artefacts import Runs, usable
from sweeps.general import artefact
from sweeps.pages import Page
from sweeps.plain import plain
from sweeps.published import tally
from sweeps.site.address import slug
from sweeps.site.grid import Grid, grid
from sweeps.site.provenance import Source, Sources
from sweeps.site.vector import svg

if TYPE_CHECKING:
    from sweeps.tracking.mirror import Mirror


@dataclass(frozen=True)
class Part:
    """A table with what is drawn of it.

    Args:
        title: of the artefact.
        units: of its numbers.
        grid: the table.
        name: its anchor.
        tally: how many published values ours agrees with, and by what rule; empty: none.
        figure: markup; empty: none.
        film: an animation as a data address; empty: none.
    """

    title: str
    units: str
    grid: Grid
    name: str
    tally: str = ""
    figure: str = ""
    film: str = ""


@dataclass
class Experiment:
    """One experiment on the site.

    Args:
        name: its name.
        title: of its artefact.
        command: that makes its runs.
        address: of its page, without suffix.
        parts: its tables.
        sources: runs behind the numbers of the tables.
        runs: all its runs, rows of the frame.
        pages: further ones.
        trouble: what could not be drawn, and why.
    """

    name: str
    title: str
    command: str
    address: str
    parts: list[Part] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def experiment(name: str, mirror: Mirror, taken: set[str]) -> Experiment:
    """Reads and draws one experiment; what fails of it is said on its page and keeps nothing else from being there.

    Args:
        name: its name.
        mirror: the store of its runs.
        taken: addresses that are given already.
    """
    drawn = artefact(name)
    found = Experiment(name, str(drawn.TITLE), str(drawn.COMMAND), slug(name, taken))
    frame = mirror.read(name)
    if not len(frame):
        return found
    found.runs = frame.to_dict("records")  # type: ignore[assignment]
    needed = usable(frame, drawn)
    if len(needed) < len(frame):
        found.trouble.append(f"{len(frame) - len(needed)} runs lack what the table needs and are not in it")
    if not len(needed):
        return found
    sources, runs = Sources(needed, f"{found.address}-from"), Runs(needed, mirror.artifact)
    for key, one in {"": drawn, **getattr(drawn, "MORE", {})}.items():
        with _told(found, f"table {key or name}"):
            found.parts += _parts(found.address, one, key, runs, sources)
    if hasattr(drawn, "pages"):
        with _told(found, "pages"):
            found.pages += drawn.pages(runs)
    found.sources = list(sources.found.values())
    return found


@contextmanager
def _told(found: Experiment, what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # an artefact may be other people's code, which may fail in any way
        found.trouble.append(f"{what} could not be made ({plain(error)[:200]})")
        print(f"{found.name}: {found.trouble[-1]}", file=sys.stderr)


def _parts(address: str, drawn: Any, key: str, runs: Runs, sources: Sources) -> list[Part]:
    """One table with what is drawn of it; none where it is empty."""
    table = drawn.table(runs.frame)
    if not len(table):
        return []
    name, title = f"{address}-{slug(key)}" if key else address, str(drawn.TITLE)
    figure = drawn.figure(table, runs) if hasattr(drawn, "figure") else None
    film = drawn.animation(runs) if hasattr(drawn, "animation") else None
    moving = f"data:image/gif;base64,{base64.b64encode(film).decode()}" if film else ""
    still = svg(figure, name) if figure is not None else ""
    return [Part(title, str(drawn.UNITS), grid(title, drawn.shown(table), sources), name, tally(table), still, moving)]
