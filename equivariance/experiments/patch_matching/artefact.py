"""FPR95 against the number of triplets for each convolution type, and what it differs by from `same`, seed by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import CONV_COLOURS, ordered
from sweeps import intervals, tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Patch matching: how many triplets does a descriptor need, with and without a boundary?"
UNITS = (
    "FPR95 in %, lower is better: mean ± std [95 % interval over seeds and test points] (seeds); published: PhotoTour,"
    " one run each, full with 6272 numbers a patch; difference from same: paired by seed and point"
)
COMMAND = "python -m equivariance.run -m +sweep=patch_matching"
# Metrics without which a run is no cell of the table.
NEEDS = ("fpr95", "descriptor", "parameters", "gmacs", "n")
HEAD, TRIPLETS, BASE = "experiment.head", "experiment.triplets", "same"
AXES = ["data", "conv", HEAD, TRIPLETS]
ALIKE = ("max", "flat", "whole")  # heads that are one and the same on the published map of 8×8
HEADS = {"flat": "-", "max": "--", "whole": "-.", "global": ":"}
# In percent, by triplets: as printed for same, and what full adds as read off the figure (± 0.03); mean of two test
# sets, one run each. Kayhan & van Gemert 2020, figure on data efficiency (authors' repository).
PUBLISHED_SAME = {500_000: 2.0, 250_000: 2.3, 100_000: 3.8, 50_000: 8.4, 25_000: 14.5}
PUBLISHED_ADDED = {500_000: 0.05, 250_000: -0.04, 100_000: -0.92, 50_000: -4.10, 25_000: -6.26}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a variant, FPR95 in percent, beside `same` of the same seeds, and the published values.

    Its columns are AXES, what else differs, n; fpr95_mean, _std, _low, _high, over; descriptor, parameters, gmacs;
    difference, difference_low, difference_high; published, published_difference.
    """
    import pandas as pd

    settings, found = tables.groups(frame, AXES)
    keys = [*AXES, *settings]
    cells = dict(found)
    rows = []
    for key, seeds in cells.items():
        row = dict(zip(keys, key, strict=True)) | {"n": len(seeds)} | _level(seeds)
        row |= {name: seeds[f"metrics.{name}"].mean() for name in ("descriptor", "parameters", "gmacs")}
        row |= _difference(seeds, _base(row, keys, cells))
        rows.append(row | _published(row))
    whole = pd.DataFrame(rows)
    places = {"conv": ordered, HEAD: lambda head: list(HEADS).index(head)}
    by = ["data", *settings, "conv", HEAD, TRIPLETS]
    return whole.sort_values(by, key=lambda c: c.map(places[c.name]) if c.name in places else c, ignore_index=True)


def _level(seeds: pandas.DataFrame) -> dict[str, Any]:
    values = 100 * seeds["metrics.fpr95"]
    low, high, over = intervals.of_redrawn(values.to_list(), _redrawn(seeds), int(seeds["metrics.n"].iloc[0]))
    spread = {"fpr95_mean": values.mean(), "fpr95_std": values.std()}
    return spread | {"fpr95_low": max(0.0, low), "fpr95_high": min(100.0, high), "over": over}


def _redrawn(seeds: pandas.DataFrame) -> list[list[float] | None]:
    records = seeds["redrawn"] if "redrawn" in seeds else [None] * len(seeds)
    found = [record.get("fpr95") if isinstance(record, dict) else None for record in records]
    return [[100 * value for value in one] if one else None for one in found]


def _base(row: dict[str, Any], keys: list[str], cells: dict[tuple, pandas.DataFrame]) -> pandas.DataFrame | None:
    """The runs under `same` that a cell is compared with: of its head, or of another that is the same under `same`."""
    heads = () if row["conv"] == BASE else (row[HEAD],) if row[HEAD] not in ALIKE else (row[HEAD], *ALIKE)
    wanted = ([{**row, "conv": BASE, HEAD: head}[key] for key in keys] for head in heads)
    return next((cells[tuple(key)] for key in wanted if tuple(key) in cells), None)


def _difference(seeds: pandas.DataFrame, base: pandas.DataFrame | None) -> dict[str, float]:
    """Over the seeds that both have; drawn anew, points are the same in both."""
    nothing = dict.fromkeys(("difference", "difference_low", "difference_high"), float("nan"))
    if base is None:
        return nothing
    ours, theirs = (runs.set_index("params.seed") for runs in (seeds, base))
    common = ours.index.intersection(theirs.index)
    ours, theirs = ours.loc[common], theirs.loc[common]
    if not len(common):
        return nothing
    values = (100 * (ours["metrics.fpr95"] - theirs["metrics.fpr95"])).to_list()
    both = zip(_redrawn(ours), _redrawn(theirs), strict=True)
    anew = [[a - b for a, b in zip(one, other, strict=True)] if one and other else None for one, other in both]
    low, high, _ = intervals.of_redrawn(values, anew, int(ours["metrics.n"].iloc[0]))
    return {"difference": sum(values) / len(values), "difference_low": low, "difference_high": high}


def _published(row: dict[str, Any]) -> dict[str, float]:
    same, added = PUBLISHED_SAME.get(row[TRIPLETS]), PUBLISHED_ADDED.get(row[TRIPLETS])
    if row["data"] != "phototour" or same is None or added is None or row["conv"] not in (BASE, "full"):
        return {"published": float("nan"), "published_difference": float("nan")}
    full = row["conv"] == "full"
    return {"published": same + added * full, "published_difference": added if full else float("nan")}


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    rows = table.to_dict("records")
    said = table[keys].copy()
    said["FPR95"] = [_said_level(row) for row in rows]
    said["less same"] = [_said_difference(row) for row in rows]
    if table["published"].notna().any():
        said["published"] = table["published"].map(lambda p: "" if p != p else f"{p:.1f}")
        said["published, less same"] = table["published_difference"].map(lambda p: "" if p != p else f"{p:+.2f}")
    said["numbers"] = table["descriptor"].map("{:.0f}".format)
    said["parameters"] = table["parameters"].map("{:.0f}".format)
    said["10⁶ multiply-adds"] = (1000 * table["gmacs"]).map("{:.0f}".format)
    return said.set_index(keys)


def _said_level(row: dict[Any, Any]) -> str:
    alone = row["n"] == 1
    spread, counted = ("", "1, points alone") if alone else (f" ± {row['fpr95_std']:.1f}", f"{row['n']:.0f}")
    return f"{row['fpr95_mean']:.1f}{spread} [{row['fpr95_low']:.1f}, {row['fpr95_high']:.1f}] ({counted})"


def _said_difference(row: dict[Any, Any]) -> str:
    if row["difference"] != row["difference"]:
        return ""
    return f"{row['difference']:+.1f} [{row['difference_low']:+.1f}, {row['difference_high']:+.1f}]"


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """FPR95 against triplets, below it the paired difference from `same`; a column a set, published values open."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    sets = list(dict.fromkeys(table["data"]))
    figure = Figure(figsize=(5.2 * len(sets) + 1.4, 6.4), layout="constrained")
    axes = figure.subplots(2, len(sets), sharex="col", squeeze=False, height_ratios=[3, 2])
    for (above, below), data in zip(axes.T, sets, strict=True):
        mine = table[table["data"] == data]
        names = [c for c in table.columns[: list(table.columns).index("n")] if c not in ("data", TRIPLETS)]
        lines = list(mine.groupby(names, sort=False))
        for number, (key, line) in enumerate(lines):
            _line(above, below, dict(zip(names, key, strict=True)), line, number - (len(lines) - 1) / 2)
        _theirs(above, below, data)
        ticks = sorted({*mine[TRIPLETS], *(PUBLISHED_SAME if data == "phototour" else ())})
        below.set_xscale("log")
        below.set_xlim(ticks[0] / 1.3, ticks[-1] * 1.3)
        below.set_xticks(ticks, [f"{t:,}".replace(",", " ") for t in ticks])
        below.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        below.axhline(0, color="#999999", linewidth=0.8)
        below.set_xlabel("triplets trained on")
        above.set_title(f"data={data}")
        above.set_ylim(bottom=0)
        for axis in (above, below):
            axis.spines[["top", "right"]].set_visible(False)
        above.legend(frameon=False, fontsize="small")
    axes[0][0].set_ylabel("FPR95 (%), lower is better")
    axes[1][0].set_ylabel("difference from same\n(percentage points)")
    return figure


def _line(above: Axes, below: Axes, names: dict[str, Any], line: pandas.DataFrame, beside: float) -> None:
    """One variant, a little beside the others so that intervals can be told apart."""
    colour, style = CONV_COLOURS.get(names["conv"], "#666666"), HEADS[names[HEAD]]
    x = line[TRIPLETS] * 1.03**beside
    label = ", ".join(f"{value}" for value in names.values())
    for axis, middle, low, high in (
        (above, "fpr95_mean", "fpr95_low", "fpr95_high"),
        (below, "difference", "difference_low", "difference_high"),
    ):
        there = line[middle].notna()
        if there.any():
            y = line[middle]
            around = [(y - line[low])[there], (line[high] - y)[there]]
            axis.errorbar(x[there], y[there], around, fmt="o", ls=style, color=colour, capsize=3, ms=4, label=label)


def _theirs(above: Axes, below: Axes, data: str) -> None:
    if data != "phototour":
        return
    x = sorted(PUBLISHED_SAME)
    same, added = [PUBLISHED_SAME[n] for n in x], [PUBLISHED_ADDED[n] for n in x]
    look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 9, "mfc": "none"}
    above.plot(x, same, color=CONV_COLOURS[BASE], label="published, same", **look)
    full = [a + b for a, b in zip(same, added, strict=True)]
    above.plot(x, full, color=CONV_COLOURS["full"], label="published, full", **look)
    below.plot(x, added, color=CONV_COLOURS["full"], **look)
