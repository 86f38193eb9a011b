"""The paper's figure 3: accuracy by architecture, initialisation and border, full convolution beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivariance.experiments.location.earlier import completed
from equivariance.experiments.quadrant.figure import border_panels
from sweeps import tables

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

TITLE = "Can a network tell where a picture lies, and how far from the boundary?"
UNITS = "accuracy in %, mean ± std [95 % interval over seeds and test pictures] (seeds)"
COMMAND = "python -m equivariance.run -m border=0,16,32,64,128,256,512 conv=same,full"
# Metrics without which a run is no cell of the table.
NEEDS = ("accuracy", "n")
AXES = ["arch", "init", "conv", "border"]
BORDERS = (0, 16, 32, 64, 128, 256, 512)

# Accuracies in percent, read off the published figure (4QI_results.png) to ± 0.3, ± 0.7 where markers hide each other.
# Kayhan & van Gemert 2020; one run a point, validated and tested on training pictures in the released code.
_READ = {
    ("bagnet33", "scratch"): (100, 100, 50, 50, 50, 50, 50),
    ("bagnet33", "frozen-random"): (98.7, 79.5, 50, 50, 50, 50, 50),
    ("bagnet33", "frozen-pretrained"): (98.7, 96.5, 50, 50, 50, 50, 50),
    ("resnet18", "scratch"): (100, 100, 100, 100, 100, 100, 50),
    ("resnet18", "frozen-random"): (100, 100, 100, 80.5, 51.6, 50.0, 50),
    ("resnet18", "frozen-pretrained"): (98.8, 96.9, 96.2, 97.1, 94.0, 50.05, 50),
    ("densenet121", "scratch"): (100, 100, 100, 100, 100, 100, 50),
    ("densenet121", "frozen-random"): (100, 100, 100, 100, 95.6, 50.1, 50),
    ("densenet121", "frozen-pretrained"): (99.7, 99.4, 99.2, 99.2, 99.7, 87.5, 50),
}
PUBLISHED = {(*key, "same", b): v for key, values in _READ.items() for b, v in zip(BORDERS, values, strict=True)}


def table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """A row a cell: AXES, what else differs, the columns of `tables.cells`, published."""
    found = tables.cells(completed(frame), AXES, "accuracy")
    found["published"] = [PUBLISHED.get(key) for key in found[AXES].itertuples(index=False, name=None)]
    found["published"] = found["published"].astype(float)
    return found.sort_values([*AXES, *_settings(found)], ignore_index=True)


def shown(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table for people: borders across."""
    return tables.pivot(table, ["arch", "init", *_settings(table), "conv"], "border", "accuracy")


def figure(table: pandas.DataFrame, runs: Runs | None = None) -> Figure:
    """Three panels, one an architecture."""
    return border_panels(table)


def _settings(table: pandas.DataFrame) -> list[str]:
    columns = list(table.columns)
    return columns[len(AXES) : columns.index("n")]
