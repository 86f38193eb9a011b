"""The paper's diagonal: accuracy at each place from the upper left to the bottom right, and its mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import CONV_COLOURS
from equivariance.experiments.shift.artefact.variants import PUBLISHED, Variant, families
from sweeps import intervals, published

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "How accurate is it along the diagonal?"
UNITS = (
    "accuracy in % [95 % over seeds] (seeds), mean of all places; swing: the best place less the worst, in points;\n"
    "published: 65 crops of photographs, ResNets on 200 classes of ImageNet, one run each"
)
LINES = {"strided": "-", "blur": "--", "polyphase": ":"}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant that has walked it: the family, variant, n, diagonal_mean, low, high, swing, published."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    settings: list[dict[str, str]] = []
    for family, variant, curve in _curves(frame):
        means = curve.mean(axis=1)
        low, high = intervals.of_values(means.to_list())
        by_place = curve.mean()
        numbers = {"n": len(curve), "diagonal_mean": means.mean(), "low": low, "high": high}
        swing = float(by_place.max() - by_place.min())
        rows.append(family | {"variant": variant.name} | numbers | {"swing": swing})
        settings.append({"arch": family["arch"], "conv": variant.conv, "downsample": variant.downsample})
    return PUBLISHED.beside(pd.DataFrame(rows), "diagonal", ends=None, settings=pd.DataFrame(settings))


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[keys].copy()
    rows = table.to_dict("records")
    interval = ["" if r["low"] != r["low"] else f" [{r['low']:.1f}, {r['high']:.1f}]" for r in rows]
    said["diagonal"] = [f"{r['diagonal_mean']:.1f}{i} ({r['n']})" for r, i in zip(rows, interval, strict=True)]
    said["swing"] = table["swing"].map("{:.1f}".format)
    if table["published"].notna().any():
        said["published"] = [published.said(row) for row in rows]
    return said.set_index(keys)


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """A panel a network: a line a variant, with its band over seeds."""
    from matplotlib.figure import Figure

    panels: dict[str, list[tuple[Variant, pandas.DataFrame]]] = {}
    for family, variant, curve in _curves(runs.frame):
        panels.setdefault(", ".join(map(str, family.values())), []).append((variant, curve))
    figure = Figure(figsize=(max(6.4, 4.2 * len(panels) + 1.8), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (name, curves) in zip(axes, panels.items(), strict=True):
        for variant, curve in curves:
            _line(axis, variant, curve)
        axis.set(title=name, xlabel="place on the diagonal (pixels from the first)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("accuracy (%), band: 95 % over seeds")
    labels = {h.get_label(): h for axis in axes for h in axis.get_lines()}
    figure.legend(handles=list(labels.values()), loc="outside right center", frameon=False)
    return figure


def _curves(frame: pandas.DataFrame) -> list[tuple[dict[str, Any], Variant, pandas.DataFrame]]:
    """For each variant a row a seed, a column a place in order, in percent."""
    if "metrics.diagonal" not in frame:
        return []
    found = []
    for family, variants in families(frame[frame["metrics.diagonal"].notna()]):
        for variant in variants:
            walked = variant.runs.filter(regex=r"^metrics\.diagonal_\d+$").dropna(axis=1, how="all")
            curve = 100 * walked.rename(columns=lambda name: int(str(name).rpartition("_")[2])).astype(float)
            found.append((family, variant, curve.sort_index(axis=1)))
    return found


def _line(axis: Axes, variant: Variant, curve: pandas.DataFrame) -> None:
    colour, style = CONV_COLOURS.get(variant.conv, "#666666"), LINES[variant.downsample]
    low, high = zip(*(intervals.of_values(curve[place].to_list()) for place in curve), strict=True)
    axis.fill_between(curve.columns, low, high, color=colour, alpha=0.12, linewidth=0)
    axis.plot(curve.columns, curve.mean(), style, color=colour, linewidth=1.6, label=variant.name)
