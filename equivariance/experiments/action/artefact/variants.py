"""The variants of action recognition: boundary, axes that it is about, and control."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import ordered
from sweeps import tables

if TYPE_CHECKING:
    import pandas

CONTROL = "experiment.control"
AXES = ["data", "arch", "conv", "conv.axes"]
BASE = "same"


def named(conv: str, axes: str, control: str) -> str:
    """A variant for people; same convolution has no axes of its own, unless a control gives it a margin."""
    own = "" if conv == BASE and control in ("none", "-") else f" in {axes}"
    return f"{conv}{own}" + ("" if control in ("none", "-") else f", {control}")


@dataclass(frozen=True)
class Variant:
    """The runs of one boundary under one control.

    Args:
        conv: the boundary.
        axes: that it is about.
        control: see the experiment's config.
        runs: a row a run, indexed by seed.
    """

    conv: str
    axes: str
    control: str
    runs: pandas.DataFrame

    @property
    def name(self) -> str:
        """For people."""
        return named(self.conv, self.axes, self.control)

    def values(self, metric: str) -> dict[int, float]:
        """By seed, in [0, 1]."""
        return dict(zip(self.runs.index, self.runs[f"metrics.{metric}"], strict=True))


def families(frame: pandas.DataFrame) -> Iterator[tuple[dict[str, Any], list[Variant]]]:
    """The variants that may be compared: of the same videos and network, with all else the same.

    Args:
        frame: a row a run, see `sweeps.tables.cells`.
    """
    settings, cells = tables.groups(frame, AXES)
    names = [*AXES, *settings]
    found: dict[tuple, list[Variant]] = {}
    for key, runs in cells:
        values = dict(zip(names, key, strict=True))
        alike = tuple((n, values[n]) for n in names if n != CONTROL and n.partition(".")[0] != "conv")
        control = str(values.get(CONTROL, "none"))
        variant = Variant(values["conv"], values["conv.axes"], control, runs.set_index("params.seed").sort_index())
        found.setdefault(alike, []).append(variant)
    for alike, variants in found.items():
        yield dict(alike), sorted(variants, key=lambda v: (ordered(v.conv), v.axes, v.control != "none", v.control))


def find(variants: list[Variant], conv: str, control: str, axes: str) -> Variant | None:
    """The one of that boundary and control; of the published network, which has no axes of its own, any."""
    plain = (conv, control) == (BASE, "none")
    fits = (v for v in variants if (v.conv, v.control) == (conv, control) and (plain or v.axes == axes))
    return next(fits, None)
