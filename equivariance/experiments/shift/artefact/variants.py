"""The variants of the shift experiment, seed by seed, so that they can be compared in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equivariance.experiments.looks import ordered
from sweeps import tables
from sweeps.published import Reference

if TYPE_CHECKING:
    import pandas

PUBLISHED = Reference(Path(__file__).with_name("published.csv"))
AXES = ["arch", "conv", "downsample"]
SAMPLINGS = ("strided", "blur", "polyphase")


@dataclass(frozen=True)
class Variant:
    """The runs of one boundary and sampling.

    Args:
        conv: the boundary.
        downsample: the sampling.
        name: for people: `conv + downsample`, and what of either differs beside its name.
        runs: a row a run, indexed by seed.
    """

    conv: str
    downsample: str
    name: str
    runs: pandas.DataFrame

    def paired(self, other: Variant, metric: str) -> tuple[list[float], list[float]]:
        """A metric of this and another variant, of the seeds that both have, in their order."""
        seeds = self.seeds(other)
        return tuple(v.runs.loc[seeds, f"metrics.{metric}"].to_list() for v in (self, other))  # type: ignore[return-value]

    def seeds(self, *others: Variant) -> list[int]:
        """Those that all of them have."""
        common = [seed for seed in self.runs.index if all(seed in other.runs.index for other in others)]
        return sorted(common)

    def right(self, metric: str) -> list[str] | None:
        """What the only run has recorded of single pictures; None where it has not, or is not the only one."""
        record = self.runs["right"].iloc[0] if len(self.runs) == 1 and "right" in self.runs else None
        return record.get(metric) if isinstance(record, dict) else None


def families(frame: pandas.DataFrame) -> Iterator[tuple[dict[str, Any], list[Variant]]]:
    """The variants that may be compared: of one network, with all else the same.

    Args:
        frame: a row a run, see `sweeps.tables.cells`.
    Returns: For each family its arch and what else differs from other families, and its variants.
    """
    settings, cells = tables.groups(frame, AXES)
    own = [s for s in settings if s.startswith(("conv.", "downsample."))]
    found: dict[tuple, list[Variant]] = {}
    names = [*AXES, *settings]
    for key, runs in cells:
        values = dict(zip(names, key, strict=True))
        conv, downsample = str(values["conv"]), str(values["downsample"])
        beside = "".join(f" {s.partition('.')[2]}={values[s]}" for s in own)
        variant = Variant(conv, downsample, f"{conv} + {downsample}{beside}", runs.set_index("params.seed"))
        alike = tuple((n, values[n]) for n in names if n not in (*AXES[1:], *own))
        found.setdefault(alike, []).append(variant)
    for alike, variants in found.items():
        yield dict(alike), sorted(variants, key=lambda v: (ordered(v.conv), SAMPLINGS.index(v.downsample), v.name))
