"""docs/findings.md as html: each claim with its verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sweeps.site.address import slug

# Of the repository, and inside an installed package.
PLACES = (Path(__file__).parents[2] / "docs" / "findings.md", Path(__file__).parent / "findings.md")
# As docs/findings.md has them, bold, in its first paragraph; the longer ones first.
VERDICTS = (
    ("holds only when", "condition"),
    ("holds only", "condition"),
    ("cannot be tested at this scale", "open"),
    ("not seen", "against"),
    ("holds", "holds"),
)


@dataclass(frozen=True)
class Finding:
    """A claim.

    Args:
        title: in a few words.
        name: its anchor.
        verdicts: the rule's words that its text has in bold, each with its kind.
        html: the text.
    """

    title: str
    name: str
    verdicts: tuple[tuple[str, str], ...]
    html: str


def findings() -> tuple[str, list[Finding]]:
    """What stands before the claims, as html, and the claims; nothing where the file is not at hand."""
    path = next((p for p in PLACES if p.is_file()), None)
    if path is None:
        return "", []
    return parsed(path.read_text(encoding="utf-8"))


def parsed(text: str) -> tuple[str, list[Finding]]:
    """The same of a text in markdown; html in it is shown as text."""
    before, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    before = re.sub(r"^# .*\n", "", before)
    found = []
    for part in parts:
        title, _, body = part.partition("\n")
        found.append(Finding(title.strip(), slug(title), tuple(_verdicts(body)), _html(body)))
    return _html(before), found


def _verdicts(text: str) -> list[tuple[str, str]]:
    said = [re.sub(r"\s+", " ", b).lower().strip(" .:") for b in re.findall(r"\*\*(.+?)\*\*", text, flags=re.DOTALL)]
    found = (next((v for v in VERDICTS if bold.startswith(v[0])), None) for bold in said)
    return list(dict.fromkeys(v for v in found if v))


def _html(text: str) -> str:
    """Markdown as html; its tables and code can be reached and scrolled by keyboard."""
    from markdown_it import MarkdownIt

    html = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    html = html.replace("<table>", '<div class="scroll" tabindex="0" role="group" aria-label="table"><table>')
    html = html.replace("</table>", "</table></div>").replace("<th></th>", "<td></td>")
    return html.replace("<pre>", '<pre tabindex="0">')
