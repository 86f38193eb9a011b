"""The atlas as a figure and as a page of the site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.pages import Page, Section

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

# Of the repository, and inside an installed package.
PLACES = (Path(__file__).parents[2] / "docs" / "atlas.csv", Path(__file__).parent / "atlas.csv")
CONVOLUTIONAL = "convolutional"
KNOWN = (
    "resnet18",
    "resnet50",
    "vgg16",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_b0",
    "convnext_tiny",
    "squeezenet1_0",
)
STRIDES = {8: "#56B4E9", 16: "#0072B2", 32: "#D55E00"}
HEADINGS = {
    "network": "network",
    "library": "library",
    "family": "family",
    "parameters": "10⁶ parameters",
    "input": "input",
    "field": "receptive field",
    "stride": "stride",
    "border": "certified border",
    "halo": "halo",
    "even_below": "even below",
    "even_above": "even above",
    "uneven": "uneven layers",
    "leak_same": "leak, same",
    "leak_full": "leak, full",
    "leak_unbounded": "leak, unbounded",
    "trained_same": "trained, same",
    "trained_full": "trained, full",
    "trained_unbounded": "trained, unbounded",
    "forbids": "what forbids a certificate or exact tiles",
}


def page() -> Page:
    """The page of the table that the repository holds.

    Raises: OSError: the table is not there.
    """
    from equivariance.atlas.table import PICTURES, read

    path = next((p for p in PLACES if p.is_file()), PLACES[0])
    of = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    rows = list(read(path).values())
    shown = [row for row in rows if row["kind"] == CONVOLUTIONAL]
    certain = sum(bool(row["border"]) for row in shown)
    measured, trained = (sum(row[f"{kind}_same"].isdecimal() for row in shown) for kind in ("leak", "trained"))
    lines = (
        f"{len(shown)} convolutional networks of {len(rows)} that were looked at ({of}); pixels. All is proved from the"
        " networks' structure, without their weights, but the leak distances: measured with frozen random weights on"
        f" {PICTURES} photographs, of {measured} networks; with weights trained on ImageNet, of {trained}.",
        "Field: what a unit of the last map sees. Certified border: from it on no weights tell two places apart. Halo:"
        " what tiles need around them for the last map to be the whole image's. Even: the nearest image sizes at which"
        " every layer's padding is the same on both sides.",
    )
    sections = (
        Section("Certified border by size", figure=figure(rows), caption=CAPTION),
        Section("All networks", lines, table(shown), sortable=True),
    )
    lead = "How far the boundary reaches into the networks that people use."
    facts = ((str(len(shown)), "convolutional networks"), (str(certain), "with a certified border"))
    return Page("Atlas", lead, sections, (), facts)


CAPTION = (
    "Smallest border from which on a network provably cannot tell two places of a picture apart, against its number of"
    " parameters; colours are total strides. Above the dashed line no place of an image of 224 pixels is that far"
    " from its boundary."
)


def table(rows: list[dict[str, str]]) -> pandas.DataFrame:
    """The rows for people, by name."""
    import pandas as pd

    found = pd.DataFrame([{HEADINGS[key]: _said(key, row[key]) for key in HEADINGS} for row in rows])
    return found.set_index("network").sort_index() if len(found) else pd.DataFrame()


def _said(key: str, value: str) -> Any:
    if key == "parameters":
        return round(int(value) / 1e6, 2)
    return int(value) if value.isdecimal() else value or "–"


def figure(rows: list[dict[str, str]]) -> Figure:
    """Certified border against parameters, a dot a network, a colour a stride, some names.

    Args:
        rows: of the table.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 5.0), layout="constrained")
    axis = figure.subplots()
    there = [row for row in rows if row["border"] and row["parameters"]]
    for stride, colour in {**STRIDES, 0: "#999999"}.items():
        some = [r for r in there if (int(r["stride"] or 0) if int(r["stride"] or 0) in STRIDES else 0) == stride]
        x, y = ([int(r[key]) / unit for r in some] for key, unit in (("parameters", 1e6), ("border", 1)))
        if some:
            label = f"stride {stride}" if stride else "another stride"
            axis.plot(x, y, "o", color=colour, alpha=0.6, markersize=4.5, markeredgewidth=0, label=label)
    for row in there:
        if row["network"] in KNOWN and row["library"] == "torchvision":
            place = (int(row["parameters"]) / 1e6, int(row["border"]))
            axis.annotate(row["network"], place, (5, 5), textcoords="offset points", fontsize=8)
    axis.axhline(224, color="#333333", linewidth=0.8, linestyle="--")
    axis.set(xscale="log", yscale="log", xlabel="10⁶ parameters", ylabel="certified border (pixels)")
    axis.spines[["top", "right"]].set_visible(False)
    if there:
        axis.legend(frameon=False, loc="upper left")
    return figure
