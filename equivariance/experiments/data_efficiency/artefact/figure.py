"""Accuracy against pictures a class, below it the paired difference from same convolution; published values open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.data_efficiency.artefact.variants import (
    AXES,
    BASE,
    PER_CLASS,
    PLACEMENT,
    PUBLISHED,
    Variant,
    families,
    find,
)
from equivariance.experiments.looks import CONV_COLOURS
from sweeps import comparisons, intervals

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

STYLES: dict[str, Any] = {"none": "-", "margin": "--", "width": ":", "crop": "-."}
WIDTH = 4.6  # inches a panel


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """A column a data set, network and placement; beside them patch matching's, where there are runs of it.

    Source: the two panels are those of the paper's figure on data efficiency (authors' repository).
    """
    from matplotlib.figure import Figure

    from equivariance.experiments.patch_matching.artefact.figure import panels as matching

    columns, patches = list(families(runs.frame)), _patches(runs)
    sets = [] if patches is None else [some for _, some in patches.groupby("data", sort=False)]
    figure = Figure(figsize=(WIDTH * (len(columns) + len(sets)) + 1.8, 6.2), layout="constrained")
    axes = figure.subplots(2, len(columns) + len(sets), sharex="col", squeeze=False, height_ratios=[3, 2])
    for (above, below), (family, variants) in zip(axes.T, columns, strict=False):
        for axis, first in ((above, axes[0][0]), (below, axes[1][0])):
            axis.sharey(first)
        theirs = [str(family[name]) for name in ("data", "arch", PLACEMENT)]
        panels(above, below, variants, imagenet=theirs == ["labelled_imagenet", "resnet50", "centred"])
        above.set_title("\n".join(_lines(family)), fontsize="medium")
    axes[0][0].set_ylabel("accuracy (%)")
    axes[1][0].set_ylabel("less same (points)")
    for (above, below), some in zip(axes.T[len(columns) :], sets, strict=True):
        matching(above, below, some, list(some.columns[: list(some.columns).index("n")]))
        above.set_title(f"patch matching, {some['data'].iloc[0]}", fontsize="medium")
        above.set_ylabel("FPR95 (%), lower is better")
        above.legend(frameon=False, fontsize="small")
    labels = {h.get_label(): h for axis in axes[0][: len(columns)] for h in axis.get_legend_handles_labels()[0]}
    figure.legend(list(labels.values()), list(labels), loc="outside right center", frameon=False)
    return figure


def _patches(runs: Runs) -> pandas.DataFrame | None:
    """The table of patch matching's runs in the same store, where there are some."""
    from equivariance.experiments.patch_matching import artefact

    frame = runs.others("patch_matching") if runs.others else ()
    return artefact.table(frame) if len(frame) else None  # type: ignore[arg-type]


def _lines(family: dict[str, Any], length: int = 40) -> list[str]:
    """What a column is of, in lines that fit above it."""
    lines = [""]
    for name, value in family.items():
        told = str(value).rpartition(":")[2]
        short = told if name in AXES else f"{name.rpartition('.')[2]}={told}"
        lines = [*lines, short] if len(lines[-1]) + len(short) > length else [*lines[:-1], f"{lines[-1]}, {short}"]
    return [line.removeprefix(", ") for line in lines]


def panels(above: Axes, below: Axes, variants: list[Variant], imagenet: bool) -> None:
    """Draws one column.

    Args:
        above: accuracies, with intervals over seeds and pictures.
        below: differences from same, with intervals over seeds.
        variants: those of one data set, network and placement.
        imagenet: whether the published curves belong beside them.
    """
    from matplotlib.ticker import NullFormatter

    for number, variant in enumerate(variants):
        base = find(variants, *BASE, beside=variant)
        beside = 1.025 ** (number - (len(variants) - 1) / 2)  # so that intervals can be told apart
        look = {"color": CONV_COLOURS.get(variant.conv, "#666666"), "ls": STYLES[variant.control]}
        _line(above, [(n * beside, *_level(runs)) for n, runs in sorted(variant.runs.items())], variant.name, look)
        if base and variant is not base:
            both = sorted(variant.runs.keys() & base.runs.keys())
            _line(below, [(n * beside, *_difference(variant, base, n)) for n in both], variant.name, look)
    ticks = sorted({n for variant in variants for n in variant.runs})
    if imagenet:
        ticks = sorted({*ticks, *_curve("same")})
        _theirs(above, below)
    below.axhline(0, color=CONV_COLOURS["same"], linewidth=0.8, zorder=0)
    below.set_xscale("log")
    below.set_xlim(ticks[0] / 1.3, ticks[-1] * 1.3)
    below.set_xticks(ticks, [f"{tick}" for tick in ticks])
    below.xaxis.set_minor_formatter(NullFormatter())
    below.set_xlabel("pictures a class")
    for axis in (above, below):
        axis.spines[["top", "right"]].set_visible(False)


def _line(axis: Axes, points: list[tuple[float, float, float, float]], name: str, look: dict[str, Any]) -> None:
    there = [point for point in points if point[1] == point[1]]
    if there:
        x, middle, low, high = zip(*there, strict=True)
        around = [[m - a for m, a in zip(middle, low, strict=True)], [b - m for m, b in zip(middle, high, strict=True)]]
        axis.errorbar(x, middle, around, fmt="o", capsize=2, ms=4, lw=1.4, elinewidth=0.9, label=name, **look)


def _level(runs: pandas.DataFrame) -> tuple[float, float, float]:
    records = runs["right"] if "right" in runs else [None] * len(runs)
    right = [record.get("accuracy") if isinstance(record, dict) else None for record in records]
    values = runs["metrics.accuracy"]
    low, high, _ = intervals.of_runs(values.to_list(), right, runs["metrics.n"].iloc[0])
    return 100 * values.mean(), 100 * low, 100 * high


def _difference(variant: Variant, base: Variant, count: int) -> tuple[float, float, float]:
    ours, theirs = variant.accuracies(count), base.accuracies(count)
    seeds = sorted(ours.keys() & theirs.keys())
    found = comparisons.paired([ours[s] for s in seeds], [theirs[s] for s in seeds])
    ends = (found.low, found.high) if found.low == found.low else (found.mean, found.mean)  # one seed has none
    return 100 * found.mean, 100 * ends[0], 100 * ends[1]


def _theirs(above: Axes, below: Axes) -> None:
    look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 9, "mfc": "none"}
    for conv in ("same", "full"):
        curve = _curve(conv)
        above.plot(list(curve), list(curve.values()), color=CONV_COLOURS[conv], label=f"published, {conv}", **look)
    same, full = _curve("same"), _curve("full")
    below.plot(list(same), [full[count] - same[count] for count in same], color=CONV_COLOURS["full"], **look)


def _curve(conv: str) -> dict[int, float]:
    """The published accuracies of a type by pictures a class, in percent."""
    return PUBLISHED.along(PER_CLASS, "accuracy", conv=conv)
