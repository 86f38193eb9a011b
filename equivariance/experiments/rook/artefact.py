"""The paper's figure 1: one filter learns whether a rook is at the upper left or at the bottom right; as a film too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.experiments.looks import ordered
from equivariance.experiments.rook import film
from sweeps import published, tables
from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Can one filter tell the upper left from the bottom right?"
UNITS = (
    "accuracy in %, mean ± std [95 % interval over seeds alone] (seeds);"
    " loss in nats (chance: 0.693) and margin, means over seeds"
)
COMMAND = "python -m equivariance.run -m +sweep=rook"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "n")
AXES = ["conv", "protocol"]
PUBLISHED = Reference(Path(__file__).with_name("published.csv"))


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a type and protocol: the columns of `tables.cells` but for `certified`; then published."""
    found = tables.cells(
        frame,
        AXES,
        "accuracy",
        others=("loss", "margin"),
        sampled=False,  # both images there are
    )
    found = PUBLISHED.beside(found, "accuracy")
    order = found["conv"].map(ordered) * 2 + (found["protocol"] == "released")
    return found.drop(columns="certified").loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people."""
    keys = list(table.columns[: list(table.columns).index("n")])
    said = table[keys].copy()
    said["accuracy"] = [tables.said(row, "accuracy") for row in table.to_dict("records")]
    said["loss"] = table["loss"].map("{:.4f}".format)
    said["margin"] = table["margin"].map("{:.2f}".format)
    said["published"] = [published.said(row) for row in table.to_dict("records")]
    return said.set_index(keys)


def figure(table: pandas.DataFrame, runs: Runs) -> Figure:
    """A still strip: a row a type, its filter and both feature maps at some epochs of one seed."""
    return film.strip(_reels(runs))


def animation(runs: Runs) -> bytes | None:
    """The film of training, all types side by side; None where no run has left one."""
    reels = _reels(runs)
    return film.gif(reels) if reels else None


def _reels(runs: Runs) -> dict[str, film.Reel]:
    """For each type the film of one run: of the paper's protocol and the lowest seed where there are several."""
    found: dict[str, film.Reel] = {}
    rows = runs.frame.assign(other=runs.frame["params.protocol"] != "paper")
    for row in rows.sort_values(["other", "params.seed"]).to_dict("records"):
        content = None if row["params.conv"] in found else runs.file(row["run_id"], film.FILE)
        if content:
            found[row["params.conv"]] = film.load(content)
    return {conv: found[conv] for conv in sorted(found, key=ordered)}
