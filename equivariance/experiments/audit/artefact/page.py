"""A page a network: its figures, and pictures of where each layer feels the boundary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from equivariance.experiments.audit.artefact import per_layer
from equivariance.experiments.audit.artefact.per_layer import why
from sweeps.pages import Page, Section

if TYPE_CHECKING:
    import pandas

    from sweeps.artefacts import Runs


def pages(runs: Runs) -> Iterator[Page]:
    """A page a run."""
    for row in runs.frame.to_dict("records"):
        found = read(runs, row)
        if found:
            sections = tuple(s for s in _sections(found) if s.lines or s.table is not None or s.figure is not None)
            yield Page(title(row), _lead(found), sections, (row["run_id"],), tuple(_facts(found)))


def _lead(found: dict[str, Any]) -> str:
    shown = f"{found['pictures']} pictures shown" if found["pictures"] else "no pictures shown"
    return f"Images of {found['input_size']} pixels a side, {shown}. What is proved holds for any weights."


def _facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    field, leak = found["receptive_field"], found["leak_distance"]
    if "field" in field:
        yield str(field["field"]), f"pixels: receptive field, stride {field['stride']} (proved)"
    if isinstance(found["certified_border"], int):
        yield str(found["certified_border"]), "pixels: border from which on place is invisible (proved)"
    if "pixels" in leak:
        yield str(leak["pixels"]), "pixels: leak distance (measured)"
    layers = found["edge"].get("layers") or []
    if layers:
        yield f"{100 * layers[-1]['share']:.0f} %", "of the last map feels the boundary (measured)"
    sizes = [str(size) for size in found["even_sizes"] if size]
    if sizes:
        yield " and ".join(dict.fromkeys(sizes)), "pixels: nearest sizes with even padding (proved)"


def _sections(found: dict[str, Any]) -> Iterator[Section]:
    layers = found["edge"].get("layers") or []
    yield Section(
        "Where the boundary is felt, layer by layer",
        (why(found["edge"]),) if not layers else (),
        figure=per_layer.pictures(layers) if layers else None,
        caption="Each square is a layer's map for a constant image; the warmer a place, the more the boundary"
        " has changed it, on a scale of powers of ten; what is plain is unchanged.",
    )
    yield Section("Padding at this size", _padding(found), per_layer.uneven(found))
    yield Section(
        "Padding against true surroundings", (why(found["contrast"]),), per_layer.contrast(found), sortable=True
    )
    yield Section("What it does to decisions", tuple(_decisions(found)))
    yield Section("What a shift does, layer by layer", *per_layer.shift(found), sortable=True)
    yield Section("What helps", tuple(_lacking(found)), _remedies(found))
    others = [f"{name}: {why(found[name])}" for name in ("statistics", "dense") if why(found[name])]
    yield Section("What else sees all of the image, and tiles", tuple(others))
    yield Section(
        "All layers under a constant image", table=per_layer.layers(layers) if layers else None, sortable=True
    )


def _padding(found: dict[str, Any]) -> tuple[str, ...]:
    padding = found["padding"]
    if why(padding):
        return (why(padding),)
    uneven = sum(per_layer.is_uneven(layer) for layer in padding["layers"])
    said = f"{uneven} of {len(padding['layers'])} layers that slide a kernel pad one side more than the other."
    return (said, *([f"Not followed further: {padding['unseen']}."] if padding["unseen"] else []))


def _decisions(found: dict[str, Any]) -> Iterator[str]:
    leak, same = found["leak_distance"], found["consistency"]
    if "pixels" in leak:
        theory = f"theory rules it out from {leak['bound']} on" if leak["bound"] is not None else "theory has no bound"
        yield f"Place can be told at up to {leak['pixels']} pixels from the boundary; {theory}."
    yield from ([f"Leak distance: {why(leak)}"] if why(leak) else [])
    if why(same):
        yield f"Consistency: {why(same)}"
        return
    yield from _gained(found.get("leaks") or {})
    for name in ("moved", "circular", "one_pixel", "one_pixel_worst", "crops"):
        share = same.get(name)
        if share:
            value, low, high = (100 * share[key] for key in ("value", "low", "high"))
            said = f"{value:.1f} % of decisions stay ({low:.1f} to {high:.1f}; n = {share['n']})"
            yield f"{name.replace('_', ' ')}: {said}."


def _gained(leaks: dict[str, Any]) -> Iterator[str]:
    """What each of the two leaks costs; nothing of reports that were made before both were told apart."""
    for name in ("boundary", "phase") if "boundary" in leaks else ():
        effect = leaks[name]
        points = " to ".join("–" if effect[key] is None else f"{100 * effect[key]:+.1f}" for key in ("low", "high"))
        yield f"Without the {name}: {100 * effect['value']:+.1f} points of consistency ({points}; n = {effect['n']})."
    yield from ([f"Boundary and phase: {why(leaks)}"] if why(leaks) else [])


def _lacking(found: dict[str, Any]) -> Iterator[str]:
    """Why figures are missing under other boundaries and samplings; once where they are missing for one reason."""
    names: dict[str, list[str]] = {}
    for remedy in found["remedies"]:
        for figure, value in remedy["figures"].items():
            if why(value):
                name = f"{figure.replace('_', ' ')} of {remedy['conv']}, {remedy['downsample']}"
                names.setdefault(why(value), []).append(name)
    for reason, some in names.items():
        yield f"{'; '.join(some)}: {reason}"


def _remedies(found: dict[str, Any]) -> pandas.DataFrame | None:
    import pandas as pd

    if not found["remedies"]:
        return None
    cases = [("as it is", found), *((f"{r['conv']}, {r['downsample']}", r["figures"]) for r in found["remedies"])]
    rows = []
    for _, case in cases:
        layers, same = case["edge"].get("layers") or [], case["consistency"]
        row = {"certified border": case["certified_border"], "edge, %": 100 * layers[-1]["share"] if layers else None}
        row |= {"leak distance": case["leak_distance"].get("pixels")}
        row |= {
            f"{n}, %": 100 * same[n]["value"] if n in same else None for n in ("moved", "circular", "one_pixel_worst")
        }
        rows.append({k: "–" if v is None or isinstance(v, dict) else f"{v:.4g}" for k, v in row.items()})
    return pd.DataFrame(rows, index=pd.Index([name for name, _ in cases], name="boundary, sampling"))


def read(runs: Runs, row: dict[Any, Any]) -> dict[str, Any]:
    """The report of a run; nothing where it has left none."""
    content = runs.file(row["run_id"], "report.json")
    return json.loads(content) if content else {}


def title(row: dict[Any, Any]) -> str:
    """What a run is of."""
    changed = [row["params.conv"]] if row["params.conv"] != "same" else []
    changed += [row["params.downsample"]] if row["params.downsample"] != "strided" else []
    return ", ".join([str(row["params.arch"]), str(row["params.init"]), *changed])
