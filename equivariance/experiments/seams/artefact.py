"""What a guessed halo costs: mismatch of tiles by halo, for each network, norm and convolution type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import ordered
from sweeps import tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "What do tiles of a large picture cost, by halo?"
UNITS = (
    "mismatch with the whole picture at once (rms, in % of the output's) by halo in pixels, mean over seeds;"
    " two passes: the largest mismatch of equivariance.tiled; disparity: of batch norm in train and eval mode"
)
COMMAND = "python -m equivariance.run -m +sweep=seams"
# Metrics without which a run is no cell of the table.
NEEDS = ("halo", "exact", "two_passes", "tiled", "disparity", "accuracy", "rms_0")
AXES = ["arch", "arch.norm", "arch.dims", "conv"]
# Colour-blind safe (Okabe & Ito), one a norm.
NORM_COLOURS = {"none": "#999999", "batch": "#0072B2", "group": "#D55E00", "instance": "#009E73"}
OTHER = "#CC79A7"
LINES = {"same": "-", "reflect": "--", "valid": ":"}
NOTHING = 1e-6  # of the output: rounding of float32


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a network, norm and type: AXES, what else differs, n; <metric>_mean, _std, _low, _high of NEEDS over seeds,
    `rms_H` and `changed_H` by halo H in pixels in percent.
    """
    given = frame.assign(**{f"params.{axis}": frame.get(f"params.{axis}", "-") for axis in AXES})
    given[[f"params.{axis}" for axis in AXES]] = given[[f"params.{axis}" for axis in AXES]].fillna("-")
    halos = halos_of(frame.columns)
    by_halo = [f"{name}_{halo}" for name in ("rms", "changed") for halo in halos]
    found = tables.summaries(given, AXES, dict.fromkeys(NEEDS[:-1], 1.0) | dict.fromkeys(by_halo, 100.0))
    order = found["conv"].map(ordered)
    return (
        found.assign(order=order)
        .sort_values(["arch", "arch.dims", "arch.norm", "order"], ignore_index=True)
        .drop(columns="order")
    )


def halos_of(columns: Any) -> list[int]:
    """The halos in pixels of which there are metrics, or columns of the table."""
    names = (str(name).removeprefix("metrics.").removesuffix("_mean") for name in columns)
    return sorted({int(name[4:]) for name in names if name.startswith("rms_") and name[4:].isdigit()})


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[[*keys, "n"]].copy()
    rows = table.to_dict("records")
    said["exact halo"] = [f"{row['halo_mean']:.0f}" if row["exact_mean"] == 1 else "none" for row in rows]
    for halo in halos_of(table.columns):
        said[f"{halo} px"] = table[f"rms_{halo}_mean"].map(_percent)
    said["two passes"] = ["refused" if row["tiled_mean"] < 0 else f"{row['tiled_mean']:.1g}" for row in rows]
    said["disparity"] = (100 * table["disparity_mean"]).map(_percent)
    said["accuracy"] = (100 * table["accuracy_mean"]).map(lambda share: f"{share:.1f}" if share else "")
    return said.set_index(keys)


def _percent(value: float) -> str:
    if value != value:
        return ""
    return "0" if value < 100 * NOTHING else f"{value:.2g}"


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """Mismatch against halo, a line a row of the table, the exact halo of each network marked; a panel a network."""
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(zip(table["arch"], table["arch.dims"].map(str), strict=True)))
    figure = Figure(figsize=(5.4 * len(panels), 4.2), layout="constrained")
    for axis, (arch, dims) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        rows = table[(table["arch"] == arch) & (table["arch.dims"].map(str) == dims)].to_dict("records")
        for row in rows:
            halos = [h for h in halos_of(table.columns) if row[f"rms_{h}_mean"] == row[f"rms_{h}_mean"]]
            values = [max(row[f"rms_{h}_mean"], 100 * NOTHING) for h in halos]
            colour = NORM_COLOURS.get(row["arch.norm"], OTHER)
            name = " ".join(str(row[key]) for key in ("arch.norm", "conv") if row[key] != "-")
            axis.plot(halos, values, LINES.get(row["conv"], "-."), marker="o", markersize=3, color=colour, label=name)
        for pixels in sorted({row["halo_mean"] for row in rows}):
            axis.axvline(pixels, color="black", linestyle="--", linewidth=1)
            axis.annotate(
                f"exact halo: {pixels:.0f}", (pixels, 0.98), xycoords=("data", "axes fraction"), rotation=90,
                ha="right", va="top", fontsize=8,
            )  # fmt: skip
        axis.set(yscale="log", xlabel="halo (pixels)", title=f"{arch}" + ("" if dims == "-" else f", {dims}-D"))
        axis.set_ylabel(f"mismatch (rms, % of the output's; less is drawn at {100 * NOTHING:g})")
        axis.legend(frameon=False, fontsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    return figure
