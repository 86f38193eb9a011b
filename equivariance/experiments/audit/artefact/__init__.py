"""The audit's table, its figure, and a page a network with pictures of where each layer feels the boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.audit.artefact.page import pages, read, title
from sweeps import tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Where does each network feel the boundary?"
UNITS = (
    "pixels, and shares in %; means over seeds; – : a figure that this network or run cannot have, its page says why;"
    " edge: units of the last map that a constant image shows to be changed"
)
COMMAND = "python -m equivariance.audit arch=torchvision arch.name=resnet18"
NEEDS = ()
AXES = ["arch", "init", "conv", "downsample", "experiment.input_size"]
COLUMNS = {
    "receptive_field": "field",
    "stride": "stride",
    "certified_border": "certified border",
    "uneven_layers": "uneven layers",
    "even_size_below": "even size below",
    "even_size_above": "even size above",
    "edge_share": "edge, %",
    "leak_distance": "leak distance",
    "moved": "moved, %",
    "one_pixel_worst": "one pixel, worst, %",
}
SHARES = ("edge_share", "moved", "one_pixel_worst")
__all__ = ["COMMAND", "NEEDS", "TITLE", "UNITS", "figure", "pages", "shown", "table"]


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a network: AXES, what else differs, n, then the figures of COLUMNS, in pixels or in percent."""
    import pandas as pd

    settings, found = tables.groups(frame, AXES)
    rows = []
    for key, seeds in found:
        values = {m: seeds[f"metrics.{m}"].mean() if f"metrics.{m}" in seeds else float("nan") for m in COLUMNS}
        values |= {m: 100 * values[m] for m in SHARES}
        rows.append(dict(zip([*AXES, *settings], key, strict=True)) | {"n": len(seeds)} | values)
    return pd.DataFrame(rows).sort_values(AXES, ignore_index=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[keys].copy()
    for metric, name in COLUMNS.items():
        form = "{:.1f}" if metric in SHARES else "{:g}"
        said[name] = [form.format(v) if v == v else "–" for v in table[metric]]
    return said.set_index(keys)


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """How much of each layer's map feels the boundary, from the first layer to the last; a line a network."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    axis = figure.subplots()
    for row in runs.frame.to_dict("records"):
        layers = (read(runs, row).get("edge") or {}).get("layers") or []
        depth = [n / max(1, len(layers) - 1) for n in range(len(layers))]
        axis.plot(depth, [100 * layer["share"] for layer in layers], linewidth=1.6, label=title(row))
    axis.set(xlabel="from the first layer to the last", ylabel="units that feel the boundary (%)", ylim=(-2, 102))
    axis.spines[["top", "right"]].set_visible(False)
    if 0 < len(axis.lines) <= 12:
        axis.legend(frameon=False, fontsize="small")
    return figure
