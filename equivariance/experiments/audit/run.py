"""A run of the audit: the report of one network, as numbers for tables and as a file that holds all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from equivariance.audit.asked import REMEDIES, audit
from equivariance.audit.report import Report as Audited
from equivariance.experiments.audit.shown import Shown, show
from equivariance.experiments.result import Result
from equivariance.library import with_conv
from equivariance.models.weights import load_checkpoint, load_pretrained
from equivariance.models.whole import whole
from equivariance.train import Report, unheard

if TYPE_CHECKING:
    from equivariance.experiments.audit.config import AuditRun

FILE, TEXT = "report.json", "report.txt"


def run(config: AuditRun, device: torch.device, report: Report = unheard) -> Result:
    """Asks all questions of one network.

    Args:
        config: a validated run of this experiment.
        device: where to compute.
        report: not used.
    Returns: The figures that the network has, as metrics: pixels, shares in [0, 1], counts; `report.json` and
        `report.txt` hold the rest, and why others are missing.
    Raises: UserError: pictures or weights that cannot be had.
    """
    experiment, conv = config.experiment, config.conv.rule
    network = built(config).to(device)
    if (conv, config.downsample.name) != ("same", "strided"):
        network = with_conv(network, conv, downsample=config.downsample.name, size=config.downsample.size)
    shown = show(config, network) if experiment.shown else Shown()
    pictures = None if shown.pictures is None else shown.pictures.to(device)
    remedies = REMEDIES if experiment.remedies else ()
    size = experiment.input_size
    found = audit(network, pictures, size, 3, remedies, config.seed, shown.labels, experiment.output)
    content = json.dumps(found.plain(), indent=1, allow_nan=False)
    return Result(numbers(found), [], {}, shown.notes, {FILE: content.encode(), TEXT: f"{found}\n".encode()})


def built(config: Any) -> nn.Module:
    """The network with its weights: random of the seed, of a checkpoint, or its library's."""
    torch.manual_seed(config.seed)
    network = whole(config.arch, hollow=False)
    if config.init.checkpoint:
        load_checkpoint(network, Path(config.init.checkpoint))
    elif config.init.name == "frozen-pretrained":
        load_pretrained(network, config.arch.library, config.arch.name)
    return network


def numbers(found: Audited) -> dict[str, float]:
    """The figures that a report has, by name."""
    plain = found.plain()
    field, edge, leak, same = (
        _part(plain, name) for name in ("receptive_field", "edge", "leak_distance", "consistency")
    )
    layers = edge.get("layers") or []
    values: dict[str, Any] = {
        "receptive_field": field.get("field"),
        "stride": float(found.receptive_field.stride) if field else None,  # type: ignore[union-attr]
        "phases": plain["phases"],
        "certified_border": plain["certified_border"],
        "uneven_layers": None if "layers" not in plain["padding"] else float(len(found.padding.uneven)),  # type: ignore[union-attr]
        "even_size_below": plain["even_sizes"][0],
        "even_size_above": plain["even_sizes"][1],
        "edge_share": layers[-1]["share"] if layers else None,
        "contrast": _contrast(plain),
        "shift": max((layer["error"] for layer in _part(plain, "shift").get("layers", ())), default=None),
        "leak_distance": leak.get("pixels"),
        **{f"leak_{name}": effect["value"] for name, effect in _part(plain, "leaks").items()},
        "diagonal": _part(plain, "diagonal").get("mean", {}).get("value"),
        **{name: same[name]["value"] for name in ("moved", "circular", "one_pixel", "one_pixel_worst") if name in same},
    }
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _part(plain: dict[str, Any], name: str) -> dict[str, Any]:
    """A figure of several parts; none where it is missing."""
    found = plain[name]
    return found if isinstance(found, dict) and set(found) != {"reason"} else {}


def _contrast(plain: dict[str, Any]) -> float | None:
    layers = _part(plain, "contrast").get("layers") or []
    return layers[-1]["contrast"] if layers else None
