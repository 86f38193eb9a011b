"""The report of an audit: typed, printable, and plain for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from typing import Any

from equivariance.audit.decisions import Consistency
from equivariance.audit.edge import Edge
from equivariance.library import LeakDistance, ReceptiveField
from equivariance.library.padding import Padding
from equivariance.tiles.trace import Reason

SHOWN = 12  # layers printed; the report itself holds all


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
        statistics: layers that see all of the image at once, the third leak; the last pool of a classifier aside.
        leak_distance: how far from the boundary a picture's place can be read off, in pixels; measured.
        consistency: how often decisions stay; measured.
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
    statistics: tuple[Reason, ...] | Missing
    leak_distance: LeakDistance | Missing
    consistency: Consistency | Missing
    remedies: tuple[Remedy, ...] = ()

    def __str__(self) -> str:
        return "\n".join(f"{name:20}{text}".rstrip() for name, text in _lines(self))

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
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Fraction) else value


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    field = report.receptive_field
    yield "images", f"{report.input_size} pixels a side"
    yield (
        "receptive field",
        str(field) if isinstance(field, Missing) else f"{field.field} pixels, stride {field.stride}",
    )
    yield "phases", _of(report.phases, "places modulo the stride")
    yield "certified border", _of(report.certified_border, "pixels, from which on place is provably invisible")
    yield from _padding(report)
    yield from _edge(report.edge)
    yield from _listed("statistics", report.statistics, "none: no layer before the last pool sees all of the image")
    yield from _measured(report)
    if report.remedies:
        yield "what helps", "border | edge felt in the last map | leak distance | moved | circular | one pixel, worst"
        yield "as it is", _row(_as_it_is(report))
        for remedy in report.remedies:
            name = remedy.conv if remedy.downsample == "strided" else f"{remedy.conv}+{remedy.downsample}"
            yield name, _row(remedy.figures)


def _of(value: int | Missing, unit: str) -> str:
    return str(value) if isinstance(value, Missing) else f"{value} {unit}"


def _listed(name: str, found: Any, none: str) -> Iterator[tuple[str, str]]:
    if isinstance(found, Missing):
        yield name, str(found)
        return
    lines = [str(each) for each in found[:SHOWN]] or [none]
    if len(found) > SHOWN:
        lines.append(f"… and {len(found) - SHOWN} more")
    for n, line in enumerate(lines):
        yield "" if n else name, line


def _padding(report: Report) -> Iterator[tuple[str, str]]:
    found = report.padding
    if isinstance(found, Missing):
        yield "padding", str(found)
        return
    layers = f"{len(found.layers)} layers that slide a kernel"
    yield from _listed("padding", found.uneven, f"even in {'the first' if found.unseen else 'all'} {layers}")
    if found.unseen:
        yield "", f"not followed further: {found.unseen}"
        yield "even sizes", "not known"
        return
    sizes = sorted({size for size in report.even_sizes if size is not None})
    yield "even sizes", " and ".join(map(str, sizes)) + " pixels" if sizes else "none nearby"


def _edge(found: Edge | Missing) -> Iterator[tuple[str, str]]:
    if isinstance(found, Missing) or not found.first:
        none = "" if isinstance(found, Missing) else f"felt in none of {len(found.layers)} maps (constant image, n = 1)"
        yield "edge", none or str(found)
        return
    yield "edge", f"constant image of {found.constant:g} against {found.reference}, n = 1, floor {found.floor:.0e}"
    last = found.layers[-1]
    shown = [layer for layer in found.layers if layer.felt][: SHOWN - 1]
    for layer in shown if last in shown or not last.felt else [*shown, last]:
        yield (
            "",
            f"{layer.layer}: {100 * layer.share:.1f} % of {layer.units[0]} × {layer.units[1]} units,"
            f" {layer.rows[0]} and {layer.rows[1]} rows, {layer.columns[0]} and {layer.columns[1]} columns,"
            f" {layer.channels} of {layer.of} channels, by {100 * layer.largest:.2g} % at most",
        )


def _measured(report: Report) -> Iterator[tuple[str, str]]:
    leak, same = report.leak_distance, report.consistency
    yield "leak distance", str(leak) if isinstance(leak, Missing) else f"{_pixels(leak)}; n = {report.pictures}"
    if isinstance(same, Missing):
        yield "consistency", str(same)
        return
    yield "consistency", f"moved {same.moved}"
    yield "", f"circular {same.circular}"
    yield "", f"one pixel {same.one_pixel}, in the worst direction {same.one_pixel_worst}"
    yield "", f"within rounding: {100 * same.floor:.2g} % of decisions"


def _pixels(leak: LeakDistance) -> str:
    theory = "no bound" if leak.bound is None else f"none from {leak.bound}"
    if leak.pixels == 0:
        return f"none above the floor (one-sided 95 % test, steps of 8 pixels); theory: {theory}"
    beyond = "" if leak.not_decodable is None else f", not at {leak.not_decodable}"
    return f"told at {leak.pixels} pixels{beyond} (one-sided 95 % test, steps of 8 pixels); theory: {theory}"


def _as_it_is(report: Report) -> Figures:
    return Figures(report.certified_border, report.edge, report.leak_distance, report.consistency)


def _row(found: Figures) -> str:
    edge, leak, same = found.edge, found.leak_distance, found.consistency
    reasons = [str(v.reason) for v in (found.certified_border, edge, leak, same) if isinstance(v, Missing)]
    if len(set(reasons)) == 1 and len(reasons) > 1:
        return str(Missing(reasons[0]))
    cells = [
        "–" if isinstance(found.certified_border, Missing) else str(found.certified_border),
        "–" if isinstance(edge, Missing) or not edge.layers else f"{100 * edge.layers[-1].share:.0f} %",
        "–" if isinstance(leak, Missing) else str(leak.pixels),
    ]
    shares = [] if isinstance(same, Missing) else [same.moved, same.circular, same.one_pixel_worst]
    cells += [f"{100 * s.value:.1f} %" for s in shares] or ["–"] * 3
    return " | ".join(cells)
