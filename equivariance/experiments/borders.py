"""Accuracy against the width of a border: of a picture in blank space, of an event in blank time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import COLOURS, CONV_COLOURS, OTHER, SHADE, STYLES, ordered

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def border_panels(table: pandas.DataFrame, chance: float = 50.0, unit: str = "pixels") -> Figure:
    """Accuracy against border, a panel an architecture, with intervals, certified borders and the published values.

    Args:
        table: columns arch, init, conv, border, settings (a line each), n, accuracy_mean, low, high, over, certified,
            published.
        chance: accuracy of guessing, in percent.
        unit: of the border.
    """
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(table["arch"]))
    figure = Figure(figsize=(max(6.4, 3.4 * len(panels) + 0.8), 4.4), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    places = {border: x for x, border in enumerate(sorted(table["border"].unique()))}
    columns = list(table.columns)
    settings = columns[columns.index("border") + 1 : columns.index("n")]
    for axis, arch in zip(axes, panels, strict=True):
        rows = table[table["arch"] == arch]
        for (init, conv, *_), line in rows.groupby(["init", "conv", *settings], sort=False):
            _line(axis, line.sort_values("border"), places, *_look(table, init, conv))
        _shade(axis, rows, places)
        axis.axhline(chance, color="#999999", linewidth=0.8, zorder=0)
        axis.set(title=_title(table, arch), xlabel=f"border ({unit})", ylim=(chance - 13, 103))
        axis.set_xlim(-0.4, len(places) - 0.6)
        axis.set_xticks(list(places.values()), [str(b) for b in places])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("test accuracy (%)")
    _legend(figure, table)
    return figure


def _look(table: pandas.DataFrame, init: str, conv: str) -> tuple[str, Any]:
    """Colour and line style: colours tell initialisations or, where there is but one, convolution types."""
    colour = COLOURS.get(init) if table["init"].nunique() > 1 else CONV_COLOURS.get(conv)
    return colour or "#666666", STYLES.get(conv, OTHER)


def _title(table: pandas.DataFrame, arch: str) -> str:
    return arch if table["init"].nunique() > 1 else f"{arch}, {table['init'].iloc[0]}"


def _line(axis: Axes, line: pandas.DataFrame, places: dict[int, int], colour: str, style: Any) -> None:
    """One network: a line, its interval where there is one, and hollow circles where the paper has a value."""
    x = [places[b] for b in line["border"]]
    axis.fill_between(x, line["low"], line["high"], color=colour, alpha=0.15, linewidth=0)
    axis.plot(x, line["accuracy_mean"], style, color=colour, marker="o", markersize=3.5, linewidth=1.6)
    axis.plot(x, line["published"], "o", color=colour, markersize=9, markerfacecolor="none", linestyle="none")


def _shade(axis: Axes, rows: pandas.DataFrame, places: dict[int, int]) -> None:
    """The borders at which theory proves every value shown."""
    for border, certified in rows.groupby("border")["certified"].all().items():
        if certified:
            x = places[int(str(border))]
            axis.axvspan(x - 0.5, x + 0.5, color=SHADE, linewidth=0, zorder=-1)


def _legend(figure: Figure, table: pandas.DataFrame) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    inits, convs = list(dict.fromkeys(table["init"])), list(dict.fromkeys(table["conv"]))
    several = len(inits) > 1
    entries: list[Any] = [Line2D([], [], color=_look(table, i, "")[0], label=i) for i in inits] if several else []
    proved = table.groupby("conv")["certified"].all()
    for conv in sorted(convs, key=ordered):
        colour, style = ("#333333", STYLES.get(conv, OTHER)) if several else _look(table, inits[0], conv)
        label = f"{conv} (all certified)" if proved[conv] else conv
        entries.append(Line2D([], [], color=colour, linestyle=style, label=label))
    if table["published"].notna().any():
        circle: dict[str, Any] = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "linestyle": "none"}
        entries.append(Line2D([], [], color="#333333", label="published", **circle))
    over = " or ".join(o for o in dict.fromkeys(table["over"]) if o)
    if over:
        entries.append(Patch(color="#333333", alpha=0.15, linewidth=0, label=f"95 % interval over {over}"))
    if table.groupby(["arch", "border"])["certified"].all().any():
        entries.append(Patch(color=SHADE, linewidth=0, label="certified: proved to be chance"))
    figure.legend(handles=entries, loc="outside lower center", ncols=int(figure.get_figwidth() // 3), frameon=False)
