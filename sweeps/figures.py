"""Tables to figures: the same look for every artefact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour-blind safe (Okabe & Ito), one an initialisation; line styles tell convolution types.
COLOURS = {"scratch": "#0072B2", "frozen-random": "#D55E00", "frozen-pretrained": "#009E73"}
STYLES: dict[str, Any] = {"same": "-", "full": "--"}
OTHER = ":"
# One a convolution type, the same in every figure that has several (Okabe & Ito).
CONV_COLOURS = {
    "valid": "#E69F00",
    "same": "#D55E00",
    "circular": "#56B4E9",
    "reflect": "#CC79A7",
    "replicate": "#999999",
    "partial": "#B8A500",
    "full": "#0072B2",
    "unbounded": "#009E73",
}


def border_panels(table: pandas.DataFrame, chance: float = 50.0) -> Figure:
    """Accuracy against border, a panel an architecture, with intervals and the published values.

    Args:
        table: columns arch, init, conv, border, settings (a line each), n, accuracy_mean, low, high, published.
        chance: accuracy of guessing, in percent.
    """
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(table["arch"]))
    figure = Figure(figsize=(max(5.0, 3.4 * len(panels) + 0.8), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    places = {border: x for x, border in enumerate(sorted(table["border"].unique()))}
    convs = list(dict.fromkeys(table["conv"]))
    columns = list(table.columns)
    settings = columns[columns.index("border") + 1 : columns.index("n")]
    for axis, arch in zip(axes, panels, strict=True):
        rows = table[table["arch"] == arch]
        for (init, conv, *_), line in rows.groupby(["init", "conv", *settings], sort=False):
            _line(axis, line.sort_values("border"), places, COLOURS.get(init, "#666666"), STYLES.get(conv, OTHER))
        axis.axhline(chance, color="#999999", linewidth=0.8, zorder=0)
        axis.set(title=arch, xlabel="border (pixels)", ylim=(40, 103))
        axis.set_xticks(list(places.values()), [str(b) for b in places])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("test accuracy (%)")
    _legend(figure, list(dict.fromkeys(table["init"])), convs, bool(table["published"].notna().any()))
    return figure


def _line(axis: Axes, line: pandas.DataFrame, places: dict[int, int], colour: str, style: Any) -> None:
    """One network: a line, its interval, and hollow circles where the paper has a value."""
    x = [places[b] for b in line["border"]]
    mean = line["accuracy_mean"]
    axis.plot(x, mean, style, color=colour, marker="o", markersize=3.5, linewidth=1.6)
    axis.errorbar(x, mean, [mean - line["low"], line["high"] - mean], color=colour, alpha=0.3, linestyle="none")
    axis.plot(x, line["published"], "o", color=colour, markersize=8, markerfacecolor="none", linestyle="none")


def _legend(figure: Figure, inits: list[str], convs: list[str], published: bool) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=COLOURS.get(i, "#666666"), label=i) for i in inits]
    entries += [Line2D([], [], color="#333333", linestyle=STYLES.get(c, OTHER), label=c) for c in convs]
    if published:
        entries.append(
            Line2D(
                [],
                [],
                color="#333333",
                marker="o",
                markersize=8,
                markerfacecolor="none",
                linestyle="none",
                label="published",
            )
        )
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=min(len(entries), 4 if len(figure.axes) == 1 else 6),
        frameon=False,
    )
