"""The variants of the data-efficiency experiment: a curve of accuracy over pictures a class, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import ordered
from sweeps import tables
from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas

PUBLISHED = Reference(Path(__file__).with_name("published.csv"))
PER_CLASS, CONTROL, PLACEMENT = "data.per_class", "experiment.control", "experiment.placement"
AXES = ["data", "arch", PLACEMENT, "conv", CONTROL, PER_CLASS]
CONTROLS = ("none", "margin", "width", "crop")
BASE = ("same", "none")
# What of ImageNet the published values are of, beside what published.csv names.
TASK = {"params.data.classes": tables.NULL, "params.data.side": 224, "params.experiment.canvas": 224}


def counted(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Runs whose pictures a class are a number, also where a run has all: then the mean over classes.

    Two metrics more: `all`, whether it has; `published`, whether classes and size of its images are the published ones.
    """
    import pandas as pd

    asked = pd.to_numeric(frame[f"params.{PER_CLASS}"], errors="coerce")
    there = frame["metrics.pictures"] / frame["metrics.classes"]
    alike = pd.Series(True, frame.index)
    for name, value in TASK.items():
        if name in frame:
            alike &= frame[name].isna() | (frame[name].map(str) == str(value))
    return frame.assign(
        **{f"params.{PER_CLASS}": asked.fillna(there).round().astype(int)},
        **{"metrics.all": asked.isna().astype(float), "metrics.published": alike.astype(float)},
    )


def named(conv: str, control: str) -> str:
    """A variant for people."""
    return conv if control == "none" else f"{conv}, {control}"


@dataclass(frozen=True)
class Variant:
    """The runs of one boundary under one control.

    Args:
        conv: the boundary.
        control: see the experiment's config.
        name: for people, with what of the boundary differs beside its name.
        own: what that is, by setting; "-" where there is no such one.
        runs: by pictures a class: a row a run, indexed by seed.
    """

    conv: str
    control: str
    name: str
    own: dict[str, str]
    runs: dict[int, pandas.DataFrame] = field(default_factory=dict)

    def accuracies(self, per_class: int) -> dict[int, float]:
        """By seed, in [0, 1]; none where there are no runs."""
        runs = self.runs.get(per_class)
        return {} if runs is None else dict(zip(runs.index, runs["metrics.accuracy"], strict=True))


def families(frame: pandas.DataFrame) -> Iterator[tuple[dict[str, Any], list[Variant]]]:
    """The variants that may be compared: of one data set, network and placement, with all else the same.

    Args:
        frame: a row a run, see `sweeps.tables.cells`.
    """
    settings, cells = tables.groups(counted(frame), AXES)
    own = [s for s in settings if s.startswith("conv.")]
    names = [*AXES, *settings]
    found: dict[tuple, dict[str, Variant]] = {}
    for key, runs in cells:
        values = dict(zip(names, key, strict=True))
        conv, control = str(values["conv"]), str(values[CONTROL])
        name = named(conv, control) + "".join(f" {s.partition('.')[2]}={values[s]}" for s in own if values[s] != "-")
        alike = tuple((n, values[n]) for n in names if n not in ("conv", CONTROL, PER_CLASS, *own))
        new = Variant(conv, control, name, {s: values[s] for s in own})
        variant = found.setdefault(alike, {}).setdefault(name, new)
        variant.runs[int(values[PER_CLASS])] = runs.set_index("params.seed").sort_index()
    for alike, variants in found.items():
        yield dict(alike), sorted(variants.values(), key=lambda v: (ordered(v.conv), CONTROLS.index(v.control), v.name))


def find(variants: list[Variant], conv: str, control: str, beside: Variant | None = None) -> Variant | None:
    """The first one of that boundary and control.

    Args:
        variants: of one family.
        conv: the boundary.
        control: see the experiment's config.
        beside: what it is compared with: of what both boundaries have, they have the same.
    """
    like = beside.own if beside else {}
    fits = (v for v in variants if (v.conv, v.control) == (conv, control))
    return next((v for v in fits if all("-" in (v.own[s], own) or v.own[s] == own for s, own in like.items())), None)
