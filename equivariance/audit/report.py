"""The report of an audit: typed, printable, and plain for JSON."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from typing import Any

from equivariance.audit.decisions import Consistency, Diagonal
from equivariance.audit.dense import Dense
from equivariance.audit.edge import Edge
from equivariance.audit.leaks import Leaks
from equivariance.audit.shifts import Shifts
from equivariance.audit.surroundings import Contrast
from equivariance.library import LeakDistance, ReceptiveField
from equivariance.library.padding import Padding
from equivariance.tiles.trace import Reason


@dataclass(frozen=True)
class Missing:
    """A figure that this network, or this call, cannot have.

    Args:
        reason: why, in one line.
    """

    reason: str

    def __str__(self) -> str:
        return f"none: {self.reason}"


@dataclass(frozen=True)
class Figures:
    """What is asked of a network as it is, and again of each remedy; arguments as in `Report`."""

    certified_border: int | Missing
    edge: Edge | Missing
    leak_distance: LeakDistance | Missing
    consistency: Consistency | Missing


@dataclass(frozen=True)
class Remedy:
    """The same weights that meet the boundary, or sample, in another way.

    Args:
        conv: of `with_conv`.
        downsample: of `with_conv`.
        figures: what comes out.
    """

    conv: str
    downsample: str
    figures: Figures


@dataclass(frozen=True)
class Report:
    """What is true of a network on images of one size; a figure that it cannot have is `Missing`, with the reason.

    Args:
        input_size: pixels a side.
        pictures: how many were shown for what is measured on pictures.
        receptive_field: field and total stride of the last feature map, in pixels; proved.
        phases: how many places modulo the stride there are, at which a picture is sampled differently; proved.
        certified_border: pixels of empty border from which on no weights can tell two places apart; proved.
        padding: of each layer at this size; proved.
        even_sizes: pixels; the nearest sizes, up to this one and from it on, at which each layer's padding is even.
        edge: where the boundary is felt, layer by layer; measured on one constant image.
        contrast: each layer under padding against the same under true surroundings; measured on noise.
        dense: halo, seam and batch mates' padding, where the output is a map; the halo is proved.
        statistics: layers that see all of the image at once, the third leak; the last pool of a classifier aside.
        leak_distance: how far from the boundary a picture's place can be read off, in pixels; measured.
        consistency: how often decisions stay; measured.
        shift: each layer's map of a moved picture against the moved map; measured.
        leaks: which of the two that are no statistics costs consistency, boundary or phase; measured.
        diagonal: accuracy by place; measured.
        remedies: the same figures for other boundaries and sampling.
    """

    input_size: int
    pictures: int
    receptive_field: ReceptiveField | Missing
    phases: int | Missing
    certified_border: int | Missing
    padding: Padding | Missing
    even_sizes: tuple[int | None, int | None]
    edge: Edge | Missing
    contrast: Contrast | Missing
    dense: Dense | Missing
    statistics: tuple[Reason, ...] | Missing
    leak_distance: LeakDistance | Missing
    consistency: Consistency | Missing
    shift: Shifts | Missing
    leaks: Leaks | Missing
    diagonal: Diagonal | Missing
    remedies: tuple[Remedy, ...] = ()

    def __str__(self) -> str:
        from equivariance.audit.text import lines

        return "\n".join(f"{name:20}{text}".rstrip() for name, text in lines(self))

    def plain(self) -> dict[str, Any]:
        """The report of dicts, lists, numbers and texts alone; fractions of a pixel as text, `1/2`."""
        found = _plain(self)
        assert isinstance(found, dict)
        return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Fraction) else value
