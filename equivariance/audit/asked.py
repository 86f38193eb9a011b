"""All questions asked of one network, each by itself: one that has no answer keeps no other from having one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from equivariance.audit.chosen import Chosen, named_as_given
from equivariance.audit.decisions import Consistency, consistency, diagonal
from equivariance.audit.dense import dense
from equivariance.audit.edge import edge
from equivariance.audit.leaks import CELLS, Leaks, leaks
from equivariance.audit.report import Figures, Missing, Remedy, Report
from equivariance.audit.shifts import Shifts, shifts
from equivariance.audit.surroundings import contrast
from equivariance.errors import NotFinite, UserError, reason
from equivariance.library import certified_border, leak_distance, receptive_field, with_conv
from equivariance.library.padding import WIDEST, Padding, even_sizes, padding
from equivariance.library.structure import evaluating, structural
from equivariance.models import FeatureMap
from equivariance.models.kind import attending
from equivariance.models.own import SIDE, feature_map
from equivariance.models.trunk import Trunk
from equivariance.reach import Reach, reach
from equivariance.tiles.output import Selected
from equivariance.tiles.trace import Reason, Unfollowed, trace
from sweeps.terminal import track

Answer = TypeVar("Answer")
REMEDIES = (
    ("unbounded", "strided"),
    ("partial", "strided"),
    ("reflect", "strided"),
    ("same", "polyphase"),
    ("unbounded", "polyphase"),
)
NO_PICTURES = Missing("no pictures were given")


def audit(
    model: nn.Module,
    pictures: Tensor | None = None,
    input_size: int = 224,
    channels: int = 3,
    remedies: tuple[tuple[str, str], ...] = REMEDIES,
    seed: int = 0,
    labels: Tensor | None = None,
    output: str | None = None,
) -> Report:
    """What is true of a network: proved from its structure, measured, and what would help.

    Not for: what a network does on other image sizes, or in train mode; it is read in eval mode and left as it is.

    Args:
        model: maps images [N, channels, H, W] to anything. Of `with_conv`, too.
        pictures: float [n, channels, side, side], n of 4 or more, normalised, smaller than `input_size`; the canvas
            around them is 0. None: what needs pictures is left out, and says so.
        input_size: pixels a side of the images the network is used on.
        channels: of the images.
        remedies: `conv` and `downsample` of each, as `with_conv` takes them; none are tried where the model is of
            `with_conv` already.
        seed: of the places at which pictures are shown, and of the noise.
        labels: the right class of each picture, int64 [n], for the accuracy by place; None: it is left out.
        output: keys or numbers on the way to the output that is meant, where there are several, between dots: `out`.
    Returns: The report; print it, or take its fields.

    >>> from torchvision.models import resnet18
    >>> found = audit(resnet18(), input_size=64, remedies=())
    >>> found.receptive_field.field, found.certified_border, found.phases, found.even_sizes
    (435, 433, 1024, (33, 65))
    """
    given = Question(model, output, pictures, labels, input_size, channels, seed)
    tried = () if isinstance(model, FeatureMap) else remedies
    found = _answered(given, tried)
    return named_as_given(found) if output is not None else found


@dataclass(frozen=True)
class Question:
    """What an audit is of; arguments as in `audit`."""

    given: nn.Module
    output: str | None
    pictures: Tensor | None
    labels: Tensor | None
    input_size: int
    channels: int
    seed: int


def _answered(asked: Question, remedies: tuple[tuple[str, str], ...]) -> Report:
    given, output, input_size, channels, seed = asked.given, asked.output, asked.input_size, asked.channels, asked.seed
    model = given if output is None else Chosen(given, output)
    shown, labels = _as_weights(given, asked.pictures), asked.labels
    period = _asked(lambda: _period(model, channels))
    layers = _asked(lambda: padding(model, input_size, channels))
    followed = isinstance(layers, Padding) and layers.unseen is None
    within = period if isinstance(period, int) else WIDEST
    figures = _figures(model, shown, input_size, channels, seed)
    each = track(remedies, len(remedies), "remedies")
    tried = tuple(_remedy(model, *how, shown, input_size, channels, seed) for how in each)
    return Report(
        input_size=input_size,
        pictures=0 if shown is None else len(shown),
        receptive_field=_asked(lambda: receptive_field(model, channels)),
        phases=period**2 if isinstance(period, int) else period,
        certified_border=figures.certified_border,
        padding=layers,
        even_sizes=even_sizes(model, input_size, within, channels) if followed else (None, None),
        edge=figures.edge,
        contrast=_asked(lambda: contrast(model, input_size, channels, seed)),
        dense=_asked(lambda: dense(given, input_size, channels, output, seed)),
        statistics=_asked(lambda: _statistics_or_attention(model, input_size, channels)),
        leak_distance=figures.leak_distance,
        consistency=figures.consistency,
        diagonal=_asked(lambda: _diagonal(model, shown, labels, input_size)),
        shift=_asked(lambda: _shift(model, shown, input_size, period)),
        leaks=_asked(lambda: _leaks(figures, tried)),
        remedies=tried,
    )


def _asked(question: Callable[[], Answer]) -> Answer | Missing:
    try:
        return question()
    except (UserError, NotFinite) as error:
        return Missing(str(error))
    except Exception as error:  # other people's code: it may fail in any way
        return Missing(f"the model fails ({reason(error)})")


def _as_weights(model: nn.Module, pictures: Tensor | None) -> Tensor | None:
    """Pictures of the type of the weights, beside them."""
    weights = next((p for p in model.parameters() if p.is_floating_point()), None)
    return pictures if pictures is None or weights is None or weights.is_meta else pictures.to(weights)


def _diagonal(model: nn.Module, pictures: Tensor | None, labels: Tensor | None, input_size: int) -> Any:
    if pictures is None or labels is None:
        return NO_PICTURES if pictures is None else Missing("no labels were given")
    return diagonal(model, pictures, labels, input_size)


def _shift(model: nn.Module, shown: Tensor | None, input_size: int, period: int | Missing) -> Shifts | Missing:
    if shown is None:
        return NO_PICTURES
    return period if isinstance(period, Missing) else shifts(model, shown, input_size, period)


def _leaks(figures: Figures, tried: tuple[Remedy, ...]) -> Leaks | Missing:
    """Of the network as it is and of its remedies, or why one of them has no consistency."""
    cells = {("same", "strided"): figures} | {(r.conv, r.downsample): r.figures for r in tried}
    known = {cell: each.consistency for cell, each in cells.items()}
    missing = [found for cell in CELLS if isinstance(found := known.get(cell), Missing)]
    if missing:
        return missing[0]
    return leaks({cell: found for cell, found in known.items() if isinstance(found, Consistency)})


def _figures(model: nn.Module, shown: Tensor | None, input_size: int, channels: int, seed: int) -> Figures:

    def distance() -> object:
        return leak_distance(model, shown) if shown is not None else NO_PICTURES

    def stays() -> object:
        return consistency(model, shown, input_size, seed=seed) if shown is not None else NO_PICTURES

    return Figures(
        certified_border=_asked(lambda: _certified(model, channels)),
        edge=_asked(lambda: edge(model, input_size, channels)),
        leak_distance=_asked(distance),  # type: ignore[arg-type]
        consistency=_asked(stays),  # type: ignore[arg-type]
    )


def _remedy(
    model: nn.Module,
    conv: str,
    downsample: str,
    pictures: Tensor | None,
    input_size: int,
    channels: int,
    seed: int,
) -> Remedy:
    other = with_conv(model, conv, downsample=downsample)
    return Remedy(conv, downsample, _figures(other, pictures, input_size, channels, seed))


def _certified(model: nn.Module, channels: int) -> int | Missing:
    receptive_field(model, channels)  # raises, and says which operation is not known, before borders are tried
    found = certified_border(model, channels=channels)
    if found is not None:
        return found
    return Missing("no border is certain: 64 pixels are no multiple of its stride, or every unit sees an edge")


def _period(model: nn.Module, channels: int) -> int:
    """Pixels after which what the network's last maps compute repeats."""
    with evaluating(model):
        found = reach(structural(model).network, 1024, 1024, channels=channels)
    maps = {found.sights} if isinstance(found, Reach) else found.pooled
    return max(sight.period for sights in maps for sight in sights)


def _statistics_or_attention(model: nn.Module, input_size: int, channels: int) -> tuple[Reason, ...]:
    """`_statistics`; of a network that cannot be followed because it attends, the layers that do."""
    try:
        return _statistics(model, input_size, channels)
    except UserError:
        with evaluating(model):
            layers = attending(model, input_size, channels)
        if not layers:
            raise
        return tuple(Reason(layer, "it attends: what it sees of the image is up to the image") for layer in layers)


def _statistics(model: nn.Module, input_size: int, channels: int) -> tuple[Reason, ...]:
    """Layers up to the last feature map that see all of the image at once."""
    if isinstance(model, FeatureMap):
        return _statistics(model.trunk, input_size, channels)
    weights = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    with evaluating(model):
        blank = weights.new_zeros(1, channels, SIDE, SIDE)
        features = feature_map(model, type(model).__name__, None, blank)
        trunk = model if features is model else Trunk(model, features)
        try:
            found = trace(Selected(trunk), (input_size, input_size), channels)
        except Unfollowed as unfollowed:
            raise UserError(str(unfollowed)) from None
    reasons = (statistic.reason for statistic in found.statistics)
    prefix = "network." if trunk is not model else ""
    return tuple(dict.fromkeys(replace(r, layer=r.layer.removeprefix(prefix)) for r in reasons))
