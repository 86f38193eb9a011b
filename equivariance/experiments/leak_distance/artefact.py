"""Leak distance: how far from the boundary position is decodable, beside the border from which theory rules it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.location.earlier import completed
from equivariance.experiments.looks import CONV_COLOURS, ordered
from sweeps import intervals, tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "How far from the boundary can a network tell where a picture lies?"
UNITS = (
    "largest border in pixels, mean ± std (seeds);"
    " interval: 95 % over seeds and test pictures, to the lowest border that did not do"
)
COMMAND = "python -m equivariance.run -m +sweep=leak_distance"
# Metrics without which a run is no cell of the table.
NEEDS = ("leak_distance",)
AXES = ["arch", "init", "conv"]
METRICS = ("leak_distance", "not_decodable", "bound")


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a cell, in pixels: AXES, what else differs, n, distance_mean, distance_std, low, high, over, bound.

    The distance lies between two borders that were tried; `low` is the interval's lower end of the mean of the lower
    ones, `high` the upper end of that of the upper ones; `over` is what the interval speaks of: nothing but the two
    borders for one seed that has not recorded its pictures. `high` is empty where the largest border tried was still
    decodable, `bound` where theory has none.
    """
    import pandas as pd

    frame = completed(frame.copy())
    for metric in METRICS:
        if f"metrics.{metric}" not in frame:
            frame[f"metrics.{metric}"] = float("nan")
    settings, cells = tables.groups(frame, AXES)
    rows = [(*key, *_numbers(seeds)) for key, seeds in cells]
    columns = [*AXES, *settings, "n", "distance_mean", "distance_std", "low", "high", "over", "bound"]
    found = pd.DataFrame(rows, columns=columns)
    by = [*AXES, *settings]
    return found.sort_values(by, key=lambda c: c.map(ordered) if c.name == "conv" else c, ignore_index=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[keys].copy()
    said["leak distance"] = [_said(row) for row in table.to_dict("records")]
    said["interval"] = [_interval(row) for row in table.to_dict("records")]
    said["theory: none from"] = table["bound"].map(lambda b: "" if b != b else f"{b:g}")
    return said.set_index(keys)


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """A panel an architecture: a line a cell, from the boundary to the leak distance, and theory's bound."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    panels = list(dict.fromkeys(table["arch"]))
    names = list(dict.fromkeys(_name(row, table) for row in table.to_dict("records")))
    size = (3.2 * len(panels) + 1.6, 0.42 * len(names) + 1.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, arch in zip(axes, panels, strict=True):
        for row in table[table["arch"] == arch].to_dict("records"):
            _line(axis, names.index(_name(row, table)), row)
        axis.set(title=arch, xlabel="border (pixels)", ylim=(len(names) - 0.5, -0.5))
        axis.set_xlim(left=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), names)
    entries = [
        Line2D([], [], color="#333333", marker="o", linewidth=2, label="decodable, interval"),
        Line2D([], [], color="#333333", marker="o", markerfacecolor="white", linestyle="none", label="at no border"),
        Line2D([], [], color="#333333", marker="|", markersize=12, linestyle="none", label="theory: none from here on"),
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _line(axis: Axes, y: int, row: dict) -> None:
    """One cell."""
    colour, mean = CONV_COLOURS.get(row["conv"], "#666666"), row["distance_mean"]
    axis.plot([0, mean], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
    if row["high"] == row["high"]:
        gaps = [[mean - row["low"]], [row["high"] - mean]]
        axis.errorbar(mean, y, xerr=gaps, color=colour, alpha=0.5, capsize=3, linestyle="none")
    face = "white" if _none(row) else colour
    axis.plot(mean, y, "o", color=colour, markerfacecolor=face, markersize=5, clip_on=False, zorder=3)
    axis.plot(row["bound"], y, "|", color="#333333", markersize=12, clip_on=False)


def _numbers(seeds: pandas.DataFrame) -> tuple[float | str | None, ...]:
    """Of one cell: n, mean, deviation, low, high, over, bound."""
    lower, upper, bound = (seeds[f"metrics.{m}"] for m in METRICS)
    most = bound.max()
    half, over = intervals.of_distances(lower.to_list(), _right(seeds), _confidence(seeds))
    half, over = (0.0, "") if most == 0 else (half, over)  # certified
    high = upper.mean() + half if upper.notna().all() else float("nan")
    high = min(high, most) if most == most else high
    deviation = lower.std() if len(seeds) > 1 else None
    return len(seeds), lower.mean(), deviation, max(lower.mean() - half, 0.0), high, over, most


def _right(seeds: pandas.DataFrame) -> list[dict[str, list[str]] | None]:
    records = seeds["right"] if "right" in seeds else [None] * len(seeds)
    return [record if isinstance(record, dict) and record else None for record in records]


def _confidence(seeds: pandas.DataFrame) -> float:
    """With which a border was decodable; a column of its own where cells differ in it."""
    name = "experiment.confidence"
    return next((float(seeds[c].iloc[0]) for c in (name, f"params.{name}") if c in seeds), intervals.CONFIDENCE)


def _name(row: dict, table: pandas.DataFrame) -> str:
    """What tells a cell of one architecture from the others."""
    columns = list(table.columns)
    keys = [k for k in columns[: columns.index("n")] if k != "arch" and (k == "conv" or table[k].nunique() > 1)]
    return ", ".join(str(row[k]) for k in keys)


def _said(row: dict) -> str:
    if row["bound"] == 0:
        return "none (certified)"
    deviation = row["distance_std"]
    spread = f" ± {deviation:.1f}" if deviation is not None and deviation == deviation else ""
    distance = "none" if _none(row) else f"{row['distance_mean']:.1f}{spread}"
    return f"{distance} ({tables.counted(row)})"


def _none(row: dict) -> bool:
    """Whether nothing was decodable at any border, for any seed."""
    return row["distance_mean"] == 0


def _interval(row: dict) -> str:
    if _none(row):
        return ""
    return f"from {row['low']:.0f}" if row["high"] != row["high"] else f"{row['low']:.0f} to {row['high']:.0f}"
