"""python -m sweeps report: the site of all runs in a store."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps import records
from sweeps.experiments import EXPERIMENTS
from sweeps.identity import flat
from sweeps.pages import Page
from sweeps.plain import plain
from sweeps.registry import Registry, resolved
from sweeps.site.address import slug
from sweeps.site.experiment import Experiment, experiment
from sweeps.site.findings import findings
from sweeps.site.grid import Grid, grid
from sweeps.site.provenance import Source
from sweeps.site.rendering import rendered
from sweeps.site.vector import svg

if TYPE_CHECKING:
    from sweeps.tracking.mirror import Mirror

# Pages that come from no run, by name: a function without arguments that gives a `sweeps.pages.Page`.
PAGES: Registry[Any] = Registry("equivariance.pages")
INDEX = "index"


@dataclass(frozen=True)
class Link:
    """A page to go to.

    Args:
        page: what it says.
        address: without suffix.
    """

    page: Page
    address: str


def report(mirror: Mirror, folder: Path) -> int:
    """Writes the site.

    Args:
        mirror: the store of the runs.
        folder: for the pages; those of an earlier site that are none of this one go.
    Returns: The exit code: 1 where something could not be drawn, which its page and standard error say.
    Raises: Exception: whatever MLflow raises where the store cannot be reached. OSError: of the folder.
    """
    taken = {INDEX}
    names = [*EXPERIMENTS.names(), *(n for n in mirror.names() if n not in (*EXPERIMENTS.names(), "Default"))]
    found = [experiment(name, mirror, taken) for name in names]
    others, failed = _others(taken)
    pages = {f"{name}.html": html for name, html in _pages(found, others, failed, taken)}
    for name, html in pages.items():
        records.write(folder / name, html.encode())
    for old in folder.glob("*.html"):
        if old.name not in pages:
            old.unlink()
    print(f"{len(pages)} pages of {sum(len(e.runs) for e in found)} runs: {folder / 'index.html'}")
    return 1 if failed or any(e.trouble for e in found) else 0


def _pages(
    found: list[Experiment], others: list[Link], failed: list[str], taken: set[str]
) -> Iterator[tuple[str, str]]:
    before, claims = findings()
    links = {e.name: [Link(p, slug(p.title, taken)) for p in e.pages] for e in found}
    shared = {"others": others, "experiments": found, "links": links}
    facts = _facts(found, links)
    yield INDEX, rendered("index", before=before, claims=claims, facts=facts, failed=failed, here=INDEX, **shared)
    for one in (e for e in found if e.runs):
        yield one.address, rendered("experiment", one=one, here=one.address, **shared)
        runs = [_run(run) for run in one.runs]
        yield f"{one.address}-runs", rendered("runs", one=one, runs=runs, here=one.address, **shared)
        for link in links[one.name]:
            yield link.address, rendered("page", **_content(link, one), here=one.address, **shared)
    for link in others:
        yield link.address, rendered("page", **_content(link, None), here=link.address, **shared)


def _others(taken: set[str]) -> tuple[list[Link], list[str]]:
    """The pages that come from no run, and what failed of them."""
    found, failed = [], []
    for name in PAGES.names():
        try:
            page = resolved(PAGES.get(name))()
        except Exception as error:  # of any installed package, which may fail in any way
            failed.append(f"{name}: {plain(error)[:200]}")
            print(failed[-1], file=sys.stderr)
            continue
        found.append(Link(page, slug(page.title, taken)))
    return found, failed


def _content(link: Link, one: Experiment | None) -> dict[str, Any]:
    """What a page's template is given: its tables and figures as markup, and its runs."""
    parts: list[tuple[Any, Grid | None, str, str]] = []
    for number, section in enumerate(link.page.sections, 1):
        name = f"part-{number}"
        table = None if section.table is None else grid(section.title, section.table, sortable=section.sortable)
        parts.append((section, table, svg(section.figure, name) if section.figure is not None else "", name))
    runs = [r for r in one.runs if r["run_id"] in link.page.runs] if one else []
    return {"page": link.page, "parts": parts, "one": one, "source_of_page": Source("runs", "", runs) if runs else None}


def _facts(found: list[Experiment], links: dict[str, list[Link]]) -> list[tuple[str, str]]:
    runs = [run for e in found for run in e.runs]
    commits = {str(r.get("tags.commit"))[:12] for r in runs if r.get("tags.commit") == r.get("tags.commit")}
    devices = {str(r.get("tags.device")) for r in runs if r.get("tags.device") == r.get("tags.device")}
    return [
        (str(len(runs)), "finished runs"),
        (str(sum(bool(e.runs) for e in found)), "experiments with runs"),
        (str(sum(len(each) for each in links.values())), "networks with a page of their own"),
        (str(len(commits - {"None"})), "commits of the code"),
        (", ".join(sorted(devices - {"None"})) or "none", "devices"),
    ]


@dataclass(frozen=True)
class Run:
    """A run for people: its names, what is known of it, its numbers and its config."""

    label: str
    identity: str
    number: str
    notes: list[tuple[str, str]]
    metrics: list[tuple[str, str]]
    config: str


# Tags that say where a run lies on the machine that computed it, or that MLflow needs.
PRIVATE = re.compile(r"tags\.(mlflow\.|record$|host$|identity$)")


def _run(row: dict[str, Any]) -> Run:
    known = {k: v for k, v in row.items() if isinstance(v, list | dict) or (v is not None and v == v)}
    params = {k.removeprefix("params."): v for k, v in known.items() if k.startswith("params.")}
    private = ("data.root", "init.checkpoint")  # paths of the machine that computed it; contents have fingerprints
    return Run(
        label=str(known.get("tags.mlflow.runName", "")),
        identity=str(known.get("tags.identity", "")),
        number=str(row["run_id"]),
        notes=[(k[5:], str(v)) for k, v in known.items() if k.startswith("tags.") and not PRIVATE.match(k)],
        metrics=[(k[8:], f"{v:.6g}") for k, v in known.items() if k.startswith("metrics.")],
        config="\n".join(f"{k}={v}" for k, v in flat(params).items() if k not in private),
    )
