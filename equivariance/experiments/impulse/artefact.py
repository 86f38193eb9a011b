"""The paper's figure 2: what a filter with a single tap makes of a single bright pixel in a corner."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from equivariance.experiments.looks import ordered
from sweeps import tables
from sweeps.published import AGREES, DIFFERS, Reference

if TYPE_CHECKING:
    import numpy
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Which taps of a filter never meet a pixel in a corner?"
UNITS = "largest response to a bright pixel at the upper left / at the bottom right"
COMMAND = "python -m equivariance.run -m +sweep=impulse"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "n", "class_1", "class_2", "side")
TAPS = ("bottom-right", "top-left", "centre")
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))
OURS = ("class_1", "class_2", "side", "told_apart")
CLASSES = ("class_1", "class_2")


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a tap and type: what else differs, class_1, class_2 (largest responses), side (of the map); what is
    published of both.

    Nothing is drawn at random, so there is no interval.
    """
    found = tables.cells(frame, ["experiment.tap", "conv"], "accuracy", others=("class_1", "class_2", "side"))
    found = found.rename(columns={"experiment.tap": "tap"}).drop(
        columns=["n", "accuracy_std", "low", "high", "over", "certified"]
    )
    found["told_apart"] = found.pop("accuracy_mean") == 100
    found["side"] = found["side"].astype(int)
    for name in CLASSES:  # nothing is drawn at random: the interval is the value
        found = PUBLISHED.beside(found, name, f"published_{name}", (name, name))
    order = found["tap"].map(TAPS.index) * 100 + found["conv"].map(ordered)
    return found.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people: taps across."""
    import pandas as pd

    cells = table.assign(
        cell=[f"{one:g} / {two:g}" for one, two in zip(table["class_1"], table["class_2"], strict=True)]
    )
    settings = [c for c in table.columns[2:] if c not in OURS and not c.startswith("published")]
    rows = ["conv", "side", *settings]
    wide = cells.pivot_table(index=rows, columns="tap", values="cell", aggfunc="first", sort=False)
    wide = wide[[tap for tap in TAPS if tap in wide]]
    if "bottom-right" in wide:
        here = cells[cells["tap"] == "bottom-right"].set_index(rows)
        said = pd.Series([_published(row) for row in here.to_dict("records")], here.index)
        wide["published, bottom-right"] = said.reindex(wide.index).fillna("")
    return wide.fillna("")


def _published(row: dict[Any, Any]) -> str:
    """Both responses, and the verdict of the two together."""
    theirs = [row[f"published_{name}"] for name in CLASSES]
    verdicts = {row[f"published_{name}_verdict"] for name in CLASSES}
    return (
        "" if theirs[0] != theirs[0] else f"{theirs[0]:g} / {theirs[1]:g}, {DIFFERS if DIFFERS in verdicts else AGREES}"
    )


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """A block a tap: filter, both images and both maps under every convolution type."""
    from matplotlib.figure import Figure

    found = _runs(runs)
    convs = sorted(set(table["conv"]), key=ordered)
    taps = [t for t in TAPS if t in set(table["tap"])]
    figure = Figure(figsize=(1.15 * (len(convs) + 2), 2.5 * len(taps) + 0.3), layout="constrained")
    axes = figure.subplots(2 * len(taps), len(convs) + 2, squeeze=False)
    for block, tap in enumerate(taps):
        for label in (1, 2):
            line = axes[2 * block + label - 1]
            line[0].set_axis_off()
            for axis, conv in zip(line[2:], convs, strict=True):
                _map(axis, found.get((tap, conv)), label, f"{conv}" if label == 1 else "")
            any_run = next((found[tap, c] for c in convs if (tap, c) in found), None)
            _image(line[1], any_run, label)
        _filter(axes[2 * block][0], tap)
    return figure


class Responses(NamedTuple):
    """What one run left: the sides of its images and of its maps in pixels, and `maps.csv`."""

    image: int
    side: int
    maps: str


def _runs(runs: Runs) -> dict[tuple[str, str], Responses]:
    """For each tap and type one run."""
    found: dict[tuple[str, str], Responses] = {}
    for row in runs.frame.to_dict("records"):
        key = (row["params.experiment.tap"], row["params.conv"])
        content = None if key in found else runs.file(row["run_id"], "maps.csv")
        if content is not None:
            found[key] = Responses(int(row["params.data.side"]), int(row["metrics.side"]), content.decode())
    return found


def _map(axis: Axes, run: Responses | None, label: int, title: str) -> None:
    """One feature map with its largest response."""
    import numpy as np

    if run is None:
        axis.set_axis_off()
        return
    values = np.zeros((run.side, run.side))
    for row in csv.DictReader(run.maps.splitlines()):
        if int(row["class"]) == label:
            values[int(row["row"]), int(row["column"])] = float(row["value"])
    _squares(axis, values, title, f"max {values.max():g}", values.max() == 0)


def _image(axis: Axes, run: Responses | None, label: int) -> None:
    import numpy as np

    values = np.zeros((run.image if run else 5,) * 2)
    values[(0, 0) if label == 1 else (-1, -1)] = 1
    _squares(axis, values, "image" if label == 1 else "", f"class {label}", False)


def _filter(axis: Axes, tap: str) -> None:
    import numpy as np

    values = np.zeros((3, 3))
    place = {"top-left": 0, "centre": 1, "bottom-right": 2}[tap]
    values[place, place] = 1
    axis.set_axis_on()
    _squares(axis, values, "filter", tap, False)


def _squares(axis: Axes, values: numpy.ndarray, title: str, below: str, lost: bool) -> None:
    """Black and white squares with fine lines between them; a lost response is said in colour."""
    axis.imshow(values, cmap="gray", vmin=0, vmax=1)
    axis.set_xticks([x - 0.5 for x in range(1, values.shape[1])], minor=True)
    axis.set_yticks([y - 0.5 for y in range(1, values.shape[0])], minor=True)
    axis.grid(which="minor", color="#666666", linewidth=0.4)
    axis.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(below, fontsize=8, color="#D55E00" if lost else "black")
