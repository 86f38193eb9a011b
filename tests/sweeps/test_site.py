"""The site: every number leads to its runs, every link somewhere, texts are texts, and a browser likes it."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from sweeps.__main__ import main
from sweeps.experiments import EXPERIMENTS, Experiment
from sweeps.pages import Page, Section
from sweeps.site import report as reporting
from sweeps.site.address import slug
from sweeps.site.findings import parsed
from sweeps.site.grid import grid
from sweeps.site.provenance import Sources
from sweeps.site.vector import svg
from sweeps.tracking.mirror import Mirror
from tests.browser import chromium
from tests.conftest import once
from tests.sweeps.runs import finished_run

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def plots(text):
    figure = Figure()
    figure.subplots().plot([1, 3, 2], label=text)
    figure.axes[0].set(title=text, xlabel="x")
    figure.axes[0].legend()
    return figure


class Drawn:
    TITLE, UNITS, COMMAND, NEEDS = f"of {EVIL}", EVIL, EVIL, ()

    @staticmethod
    def table(frame):
        return pd.DataFrame({"conv": frame["params.conv"], "value": frame["metrics.accuracy"]})

    @staticmethod
    def shown(table):
        return table.set_index("conv")

    @staticmethod
    def figure(table, runs):
        return plots(EVIL)

    @staticmethod
    def pages(runs):
        table = pd.DataFrame({"size": [3.0, 20.0, float("nan")]}, index=pd.Index([EVIL, "b", "c"], name="layer"))
        sections = (Section(EVIL, (EVIL,), table, plots("of a layer"), EVIL, sortable=True), Section("nothing"))
        yield Page(EVIL, EVIL, sections, tuple(runs.frame["run_id"]), (("3", EVIL),))
        yield Page(EVIL, "its twin has another address", ())


class Broken(Drawn):
    @staticmethod
    def figure(table, runs):
        raise ValueError(f"no figure {EVIL}")


@pytest.fixture(scope="module")
def site(tmp_path_factory, empty_store):
    """The pages of a store with runs of the quadrant experiment and of one whose texts are meant to do harm."""

    def make(folder):
        shutil.copy(empty_store, folder / "mlflow.db")
        mirror = Mirror(f"sqlite:///{folder}/mlflow.db")
        for number, (conv, border) in enumerate((c, b) for c in ("same", "full") for b in (0, 16)):
            record, result = finished_run(folder / "runs", 1 - number / 8, conv=conv, border=border)
            mirror.log(record, result, None)
        for name in ("evil", "broken"):
            record, result = finished_run(folder / "runs", conv=EVIL, arch=EVIL, data__root="/secret")
            moved = folder / "runs" / name / record.identity
            moved.parent.mkdir(exist_ok=True)
            record.path.rename(moved)
            result |= {"label": EVIL, "notes": {"device": EVIL, EVIL: EVIL}}
            mirror.log(type(record)(moved), result, None)
        EXPERIMENTS.add("evil", Experiment("evil", "", "", artefact=Drawn))
        EXPERIMENTS.add("broken", Experiment("broken", "", "", artefact=Broken))
        try:
            assert reporting.report(mirror, folder / "site") == 1  # one is broken
        finally:
            for name in ("evil", "broken"):
                del EXPERIMENTS._known[name]

    return once(tmp_path_factory, "site", make) / "site"


class Read(HTMLParser):
    """What a page links to, what it names, and which elements it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.tags, self.texts = [], [], [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        self.links += [given["href"]] if tag == "a" else []
        self.ids += [given["id"]] if "id" in given else []

    def handle_data(self, data):
        self.texts.append(data)


def pages(site):
    return {path.name: Read(path) for path in sorted(site.glob("*.html"))}


def test_every_link_leads_somewhere_and_names_are_unique(site):
    found = pages(site)
    assert {"index.html", "quadrant.html", "quadrant-runs.html", "evil.html"} <= set(found)
    for name, page in found.items():
        assert len(page.ids) == len(set(page.ids)), name
        for link in page.links:
            file, _, anchor = link.partition("#")
            assert (file or name) in found, link
            assert not anchor or anchor in found[file or name].ids, link
    reached, waiting = set(), ["index.html"]
    while waiting:
        here = waiting.pop()
        new = {link.partition("#")[0] or here for link in found[here].links} - reached - {here}
        reached |= {here}
        waiting += sorted(new)
    assert reached == set(found)


def test_every_number_of_ours_leads_to_its_runs(site):
    text = (site / "quadrant.html").read_text()
    ((anchor, _),) = re.findall(r'<td><a href="#([\w-]+)">(75\.0[^<]*)</a></td>', text)  # full at border 0
    behind = text.partition(f'id="{anchor}"')[2].partition("</div>")[0]
    assert "conv full" in behind
    ((identity, _),) = re.findall(r'quadrant-runs\.html#(\w+)">(\w+)<', behind)
    run = (site / "quadrant-runs.html").read_text().partition(f'id="{identity}"')[2].partition("</article>")[0]
    for part in ("conv=full", "border=0", "commit", "abc", "device", "cpu"):
        assert part in run
    assert '<td><a href="#' not in text.partition("same, published")[2].partition("</tr>")[0]


def test_texts_of_users_stay_texts(site):
    for name, page in pages(site).items():
        scripts = [tag for tag, _ in page.tags if tag == "script"]
        assert len(scripts) <= 1, name
        assert not [a for tag, a in page.tags if any(key.startswith("on") for key in a)], name
        assert not [a for tag, a in page.tags if tag == "img" and a["src"] == "x"], name
        assert "secret" not in "".join(page.texts)
    assert EVIL in "".join(pages(site)["evil-runs.html"].texts)


def test_nothing_is_loaded_from_anywhere(site):
    for page in pages(site).values():
        for tag, given in page.tags:
            loaded = given.get("src") or (given.get("href") if tag == "link" else None) or "data:"
            assert loaded.startswith("data:")
        assert any("default-src 'none'" in (a.get("content") or "") for tag, a in page.tags if tag == "meta")


def test_what_fails_of_one_experiment_is_said_on_its_page(site):
    assert "no figure" in "".join(pages(site)["broken.html"].texts)
    assert "<svg" in (site / "evil.html").read_text()


def test_an_empty_store_has_a_site_that_says_how_to_begin(store, workdir, capsys):
    (workdir / "results" / "site").mkdir(parents=True)
    (workdir / "results" / "site" / "old.html").write_text("of an earlier site")
    assert main(["report"]) == 0
    assert "of 0 runs" in capsys.readouterr().out
    text = (workdir / "results" / "site" / "index.html").read_text()
    assert "python -m equivariance.run -m +sweep=rook" in text
    assert "holds only when" in text  # a verdict of the findings
    assert not (workdir / "results" / "site" / "old.html").exists()


def test_a_page_of_an_installed_package_that_fails_is_said_and_the_site_is_there(store, workdir, monkeypatch, capsys):
    monkeypatch.setattr(reporting.PAGES, "_known", {"mine": lambda: 1 / 0})
    monkeypatch.setattr(reporting.PAGES, "names", lambda: ["mine"])
    assert main(["report"]) == 1
    assert "mine: division by zero" in capsys.readouterr().err
    assert "mine: division by zero" in (workdir / "results" / "site" / "index.html").read_text()


def test_figures_of_one_page_do_not_share_names_and_are_reproducible():
    one, other = svg(plots("a"), "one"), svg(plots("a"), "other")
    assert not {*re.findall(r'id="([^"]*)"', one)} & {*re.findall(r'id="([^"]*)"', other)}
    assert {m[1] for m in re.finditer(r'href="#([^"]*)"', one)} <= {*re.findall(r'id="([^"]*)"', one)}
    assert one == svg(plots("a"), "one")
    twice = Figure()
    for axis in twice.subplots(1, 2):
        axis.imshow([[0, 1], [1, 0]])
    ids = re.findall(r' id="([^"]*)"', svg(twice, "twice"))
    assert len(ids) == len(set(ids))
    assert "currentColor" in one
    assert "#000000" not in one


def test_a_cell_finds_its_runs_by_the_names_of_rows_and_columns():
    rows = [
        {"run_id": str(n), "params.conv": conv, "params.border": border, "params.experiment.tap": "left"}
        for n, (conv, border) in enumerate((c, b) for c in ("same", "full") for b in (0, 16))
    ]
    frame = pd.DataFrame([*rows, {"run_id": "x", "params.conv": "same"}])
    wide = pd.DataFrame([["1", ""]], pd.Index(["same"], name="conv"), pd.Index([16, 0], name="border"))
    sources = Sources(frame, "from")
    found = grid("", wide, sources)
    assert [c.source for c in found.rows[0]] == ["", "from-1", ""]
    assert [r["run_id"] for s in sources.found.values() for r in s.runs] == ["1"]
    assert [r["run_id"] for r in sources.of({"border": "-", "conv": "same"}).runs] == ["x"]
    assert len(sources.of({"tap": "left"}).runs) == 4
    assert sources.of({"conv": "same, published"}) is None
    assert sources.of({"nothing": 1}) is None


def test_addresses_are_plain_and_told_apart():
    taken = set()
    assert [slug(t, taken) for t in ("../A b", "a-b", "<>", "ä")] == ["a-b", "a-b-2", "unnamed", "unnamed-2"]


def test_findings_have_their_verdicts_and_no_html_of_their_own():
    before, (one, two) = parsed("# T\nrule **holds**\n\n## A & b\n**Holds only\nwhen** x <b>\n\n## C\n**Not seen.**\n")
    assert "rule" in before
    assert (one.title, one.verdicts) == ("A & b", (("holds only when", "condition"),))
    assert "&lt;b&gt;" in one.html
    assert two.verdicts == (("not seen", "against"),)


SIZES = "[...document.querySelectorAll('.plot svg')].map(s => [s.getBBox().width, s.clientWidth])"
COLOURS = "[...document.querySelectorAll('.plot text')].map(t => getComputedStyle(t).fill)"
VIOLATIONS = """axe.run({resultTypes: ["violations"]})
    .then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))"""


@pytest.mark.slow
def test_a_browser_shows_every_page_and_plot_without_complaint_in_any_light_and_width(site):
    axe = (Path(pytest.importorskip("axe_core_python").__file__).parent / "axe.min.js").read_text()
    with chromium() as tab:
        for path in sorted(site.glob("*.html")):
            for width, dark in ((1280, False), (1280, True), (360, False), (360, True)):
                tab.look(width, dark)
                tab.open(path)
                assert tab.value("document.documentElement.scrollWidth") <= width, path.name
                sizes = tab.value(SIZES)
                assert all(drawn > 50 and shown > 200 for drawn, shown in sizes), path.name
                colours = tab.value(COLOURS)
                assert set(colours) <= {"rgb(231, 233, 236)" if dark else "rgb(26, 31, 38)"}, path.name
                tab.value(f"{axe}; null")
                found = tab.value(VIOLATIONS)
                assert found == [], (path.name, width, dark)
        assert tab.said == []


@pytest.mark.slow
def test_the_site_can_be_used_by_keyboard_and_tables_sort(site):
    with chromium() as tab:
        tab.look(1280, False)
        tab.open(site / "index.html")
        tab.press("Tab")
        assert tab.value("document.activeElement.textContent") == "Skip to content"
        tab.press("Enter")
        assert tab.value("document.activeElement.id") == "main"
        seen = set()
        for _ in range(400):
            tab.press("Tab")
            here = tab.value("document.activeElement.getAttribute('href') ?? document.activeElement.className")
            seen.add(here)
        links = tab.value("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href'))")
        assert set(links) <= seen
        tab.open(next(p for p in site.glob("*.html") if '"sortable"' in p.read_text()))
        tab.value("[...document.querySelectorAll('thead button')].at(-1).focus()")
        tab.press("Enter")
        rows = "[...document.querySelectorAll('tbody tr')].map(r => r.cells[1].textContent)"
        assert tab.value(rows) == ["3", "20", ""]
        tab.press("Enter")
        assert tab.value(rows) == ["20", "3", ""]
        assert tab.said == []
