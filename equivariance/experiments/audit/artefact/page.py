"""A page a network: its figures, and pictures of where each layer feels the boundary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sweeps.pages import Page, Section

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from sweeps.artefacts import Runs

PICTURES = 15  # of layers, evenly spread


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
        (_why(found["edge"]),) if not layers else (),
        figure=_pictures(layers) if layers else None,
        caption="Each square is a layer's map for a constant image; the warmer a place, the more the boundary"
        " has changed it, on a scale of powers of ten; what is plain is unchanged.",
    )
    yield Section("Padding at this size", _padding(found), _uneven(found))
    yield Section("Padding against true surroundings", (_why(found["contrast"]),), _contrast(found), sortable=True)
    yield Section("What it does to decisions", tuple(_decisions(found)))
    yield Section("What helps", table=_remedies(found))
    others = [f"{name}: {_why(found[name])}" for name in ("statistics", "dense") if _why(found[name])]
    yield Section("What else sees all of the image, and tiles", tuple(others))
    yield Section("All layers under a constant image", table=_layers(layers) if layers else None, sortable=True)


def _why(figure: Any) -> str:
    """Why a figure is missing; nothing where it is there."""
    return f"None: {figure['reason']}." if isinstance(figure, dict) and set(figure) == {"reason"} else ""


def _pictures(layers: list[dict[str, Any]]) -> Figure:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    heat = LinearSegmentedColormap.from_list("heat", ["#6baed6", "#fdd49e", "#d55e00", "#7a0403"])
    some = [layers[i] for i in sorted({round(x) for x in np.linspace(0, len(layers) - 1, min(PICTURES, len(layers)))})]
    columns = 5
    rows = -(-len(some) // columns)
    figure = Figure(figsize=(1.85 * columns, 2.15 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for axis, layer in zip(axes, some, strict=False):
        digits = np.array([[int(digit, 16) for digit in row] for row in layer["picture"]], float)
        axis.imshow(np.where(digits > 0, digits, np.nan), cmap=heat, vmin=1, vmax=15, interpolation="nearest")
        axis.set_title(layer["layer"].partition(" ")[0][-22:], fontsize=8)
        axis.set_axis_on()
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"{100 * layer['share']:.0f} % of {layer['units'][0]} × {layer['units'][1]}", fontsize=7.5)
    return figure


def _padding(found: dict[str, Any]) -> tuple[str, ...]:
    padding = found["padding"]
    if _why(padding):
        return (_why(padding),)
    uneven = sum(_is_uneven(layer) for layer in padding["layers"])
    said = f"{uneven} of {len(padding['layers'])} layers that slide a kernel pad one side more than the other."
    return (said, *([f"Not followed further: {padding['unseen']}."] if padding["unseen"] else []))


def _is_uneven(layer: dict[str, Any]) -> bool:
    return any(before != after for before, after in layer["used"])


def _uneven(found: dict[str, Any]) -> pandas.DataFrame | None:
    import pandas as pd

    layers = [layer for layer in found["padding"].get("layers") or [] if _is_uneven(layer)]
    if not layers:
        return None
    rows = [{"used": _pairs(x["used"]), "given": _pairs(x["padded"])} for x in layers]
    return pd.DataFrame(rows, index=pd.Index([x["layer"] for x in layers], name="layer"))


def _pairs(pairs: list[list[int]]) -> str:
    return " × ".join(f"{before} and {after}" for before, after in pairs)


def _contrast(found: dict[str, Any]) -> pandas.DataFrame | None:
    import pandas as pd

    layers = found["contrast"].get("layers") or []
    if not layers:
        return None
    rows = [
        {"edge": round(x["contrast"], 3), "middle": round(x["centre"], 4), "aware": x["aware"], "of": x["of"]}
        for x in layers
    ]
    return pd.DataFrame(rows, index=pd.Index([x["layer"] for x in layers], name="layer"))


def _decisions(found: dict[str, Any]) -> Iterator[str]:
    leak, same = found["leak_distance"], found["consistency"]
    if "pixels" in leak:
        theory = f"theory rules it out from {leak['bound']} on" if leak["bound"] is not None else "theory has no bound"
        yield f"Place can be told at up to {leak['pixels']} pixels from the boundary; {theory}."
    yield from ([f"Leak distance: {_why(leak)}"] if _why(leak) else [])
    if _why(same):
        yield f"Consistency: {_why(same)}"
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
    yield from ([f"Boundary and phase: {_why(leaks)}"] if _why(leaks) else [])


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


def _layers(layers: list[dict[str, Any]]) -> pandas.DataFrame:
    import pandas as pd

    rows = [
        {
            "units": " × ".join(map(str, x["units"])),
            "share, %": round(100 * x["share"], 1),
            "rows": "{} and {}".format(*x["rows"]),
            "columns": "{} and {}".format(*x["columns"]),
            "channels": f"{x['channels']} of {x['of']}",
            "at most, %": round(100 * x["largest"], 1),
        }
        for x in layers
    ]
    return pd.DataFrame(rows, index=pd.Index([x["layer"] for x in layers], name="layer"))


def read(runs: Runs, row: dict[Any, Any]) -> dict[str, Any]:
    """The report of a run; nothing where it has left none."""
    content = runs.file(row["run_id"], "report.json")
    return json.loads(content) if content else {}


def title(row: dict[Any, Any]) -> str:
    """What a run is of."""
    changed = [row["params.conv"]] if row["params.conv"] != "same" else []
    changed += [row["params.downsample"]] if row["params.downsample"] != "strided" else []
    return ", ".join([str(row["params.arch"]), str(row["params.init"]), *changed])
