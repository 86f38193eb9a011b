"""Figures of matplotlib as SVG inside a page: readable on light and dark, with names of their own."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What is black or white in a figure takes the page's own colours; all others mean something and stay.
PAGE = {
    "#000000": "currentColor",
    "#333333": "currentColor",
    "#ffffff": "var(--surface)",
    "#cccccc": "var(--rule)",
    "#eaf2ea": "var(--shade)",
}
COLOUR = re.compile("|".join(PAGE), re.IGNORECASE)
NAMES = re.compile(r'(\bid="|href="#|url\(#)')
IMAGE = re.compile(r'(<image [^>]*?) id="[^"]*"')
FONT = re.compile(r"font-family: [^;\"]*;?\s*|'DejaVu Sans'(?:, '[^']*')*(?:, [a-z-]+)?")


def svg(figure: Figure, name: str) -> str:
    """A figure as an `<svg>` element.

    Args:
        figure: is drawn without its background.
        name: letters, digits and hyphens; unlike that of any other figure of the page.
    Returns: Markup of matplotlib's own, which escapes every text in it; the same for equal figures.
    """
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "equivariance"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="([^"]*)"', head)
    assert box is not None
    width = float(box[1].split()[2])
    body = re.sub(r'(?<=style=")[^"]*', lambda style: _styled(style[0]), body)
    body = IMAGE.sub(r"\1", body)  # equal images of one figure have one name, which nothing refers to
    body = NAMES.sub(rf"\g<1>{name}-", body)
    attributes = f'viewBox="{box[1]}" role="img" aria-labelledby="{name}-caption" style="--width: {width:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {attributes}>{body}'


def _styled(style: str) -> str:
    """The same style in the page's colours and type."""
    style = COLOUR.sub(lambda found: PAGE[found[0].lower()], style)
    return FONT.sub(lambda found: "" if found[0].startswith("font-family") else "system-ui, sans-serif", style)
