"""What a report says of each layer, as pictures and tables of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

PICTURES = 15  # of layers, evenly spread


def why(figure: Any) -> str:
    """Why a figure is missing; nothing where it is there."""
    return f"None: {figure['reason']}." if isinstance(figure, dict) and set(figure) == {"reason"} else ""


def pictures(layers: list[dict[str, Any]]) -> Figure:
    """Maps for a constant image, of at most PICTURES layers."""
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


def is_uneven(layer: dict[str, Any]) -> bool:
    """Whether a layer pads one side more than the other."""
    return any(before != after for before, after in layer["used"])


def uneven(found: dict[str, Any]) -> pandas.DataFrame | None:
    """Rows and columns of padding before and after, of the layers that are uneven; None where there are none."""
    import pandas as pd

    some = [layer for layer in found["padding"].get("layers") or [] if is_uneven(layer)]
    if not some:
        return None
    rows = [{"used": _pairs(x["used"]), "given": _pairs(x["padded"])} for x in some]
    return pd.DataFrame(rows, index=pd.Index([x["layer"] for x in some], name="layer"))


def _pairs(pairs: list[list[int]]) -> str:
    return " × ".join(f"{before} and {after}" for before, after in pairs)


def contrast(found: dict[str, Any]) -> pandas.DataFrame | None:
    """Padding against true surroundings, at the edge and in the middle; None where it was not measured."""
    import pandas as pd

    layers = found["contrast"].get("layers") or []
    if not layers:
        return None
    rows = [
        {"edge": round(x["contrast"], 3), "middle": round(x["centre"], 4), "aware": x["aware"], "of": x["of"]}
        for x in layers
    ]
    return pd.DataFrame(rows, index=pd.Index([x["layer"] for x in layers], name="layer"))


def shift(found: dict[str, Any]) -> tuple[tuple[str, ...], pandas.DataFrame | None]:
    """What was measured, and the error of each layer; nothing of reports made before shift errors were told."""
    import pandas as pd

    shift = found.get("shift") or {}
    if "layers" not in shift:
        return tuple(filter(None, [why(shift)])), None
    said = (
        f"Root mean square of what differs between the map of a picture moved by {shift['moved']} pixels, a whole"
        f" period, and the moved map, as a share of the map's own; {shift['pictures']} pictures, less than"
        f" {100 * shift['floor']:g} % is rounding."
    )
    rows = [{"shift error, %": float(f"{100 * x['error']:.3g}")} for x in shift["layers"]]
    return (said,), pd.DataFrame(rows, index=pd.Index([x["layer"] for x in shift["layers"]], name="layer"))


def layers(layers: list[dict[str, Any]]) -> pandas.DataFrame:
    """What a constant image shows of each layer."""
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
