"""A report as text: a figure a line, with unit, number of pictures and floor, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from equivariance.audit.dense import Dense
from equivariance.audit.edge import Edge
from equivariance.audit.leaks import Leaks
from equivariance.audit.report import Figures, Missing, Report
from equivariance.audit.shifts import Shifts
from equivariance.audit.surroundings import Contrast
from equivariance.library import LeakDistance

SHOWN = 12  # layers printed; the report itself holds all


def lines(report: Report) -> Iterator[tuple[str, str]]:
    """A figure a line, each with its name."""
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
    yield from _contrast(report.contrast)
    yield from _dense(report.dense)
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


def _contrast(found: Contrast | Missing) -> Iterator[tuple[str, str]]:
    if isinstance(found, Missing) or not found.layers:
        yield "surroundings", str(found) if isinstance(found, Missing) else "no layer has a map"
        return
    most, last = max(found.layers, key=lambda layer: layer.contrast), found.layers[-1]
    yield "surroundings", f"padding against {found.surroundings} pixels of image, noise, n = {found.images}"
    for name, layer in {"most": most, "last": last}.items():
        yield (
            "",
            f"{name} {layer.layer}: {layer.contrast:.2f} of its spread at the edge, {layer.centre:.2g} in the middle",
        )
    yield "", f"padding-aware channels: {found.aware[0]} of {found.aware[1]}; floor {found.floor:.0e} of the spread"


def _dense(found: Dense | Missing) -> Iterator[tuple[str, str]]:
    if isinstance(found, Missing):
        yield "tiles", str(found)
        return
    exact, mates = found.halo.exact, found.mates
    yield "tiles", f"exact with a halo of {found.halo.before[0]} pixels" if exact else str(found.halo.reasons[0])
    cut = "images too small to be cut" if found.seam != found.seam else f"{100 * found.seam:.2g} % of the output (rms)"
    yield "", f"without any halo, two tiles a side: {cut}; noise, n = 1"
    yield (
        "batch mates",
        f"padded by {mates.padded} pixels: {100 * mates.share:.1f} % of {mates.units[0]} × {mates.units[1]} units"
        f" change, {mates.depth} in, by {100 * mates.largest:.2g} % at most; noise, n = 1, floor {mates.floor:.0e}",
    )


def _measured(report: Report) -> Iterator[tuple[str, str]]:
    leak, same = report.leak_distance, report.consistency
    yield from _shift(report.shift)
    yield "leak distance", str(leak) if isinstance(leak, Missing) else f"{_pixels(leak)}; n = {report.pictures}"
    if isinstance(same, Missing):
        yield "consistency", str(same)
        yield "leaks", str(report.leaks)
        yield "accuracy by place", str(report.diagonal) if isinstance(report.diagonal, Missing) else "none"
        return
    yield "consistency", f"moved {same.moved}"
    yield "", f"circular {same.circular}"
    yield "", f"one pixel {same.one_pixel}, in the worst direction {same.one_pixel_worst}"
    yield "", f"crops {same.crops or 'none: it fails on images of their side'}"
    yield "", f"within rounding: {100 * same.floor:.2g} % of decisions"
    yield from _leaks(report.leaks)
    along = report.diagonal
    if isinstance(along, Missing):
        yield "accuracy by place", str(along)
        return
    yield "accuracy by place", f"mean over {len(along.places)} on the diagonal {along.mean}"
    for corner, share in zip(along.places, along.accuracy, strict=True):
        yield "", f"{corner} pixels: {share}"


def _shift(found: Shifts | Missing) -> Iterator[tuple[str, str]]:
    if isinstance(found, Missing):
        yield "shift, by layer", str(found)
        return
    yield "shift, by layer", f"moved from the corner by {found.moved} pixels, a period; n = {found.pictures}"
    felt = [layer for layer in found.layers if layer.error]
    for name, layer in {"first": felt[0], "most": found.worst, "last": found.layers[-1]}.items() if felt else ():
        yield "", f"{name} {layer.layer}: {100 * layer.error:.2g} % of the map (rms)"
    if not felt:
        yield "", f"none of {len(found.layers)} maps changes but by moving; floor {found.floor:.0e}"


def _leaks(found: Leaks | Missing) -> Iterator[tuple[str, str]]:
    if isinstance(found, Missing):
        yield "leaks", str(found)
        return
    yield "leaks", f"consistency gained without the boundary {found.boundary}"
    yield "", f"without the phase {found.phase}, interaction {found.interaction}"


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
