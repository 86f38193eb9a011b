"""Which layers of a network answer with maps, rows and columns last: others, as tokens, have no edge to look at."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivariance.audit.watching import watched
from equivariance.errors import UserError
from equivariance.library.structure import evaluating
from equivariance.models import FeatureMap
from equivariance.reach import Pixels, Reach, Unseen, reach

# Pixels by which an image is larger whose maps are larger too, and whose channels and heads are as many.
LARGER = 64


def followed(model: nn.Module) -> nn.Module:
    """The network whose layers are looked at: that inside, of `with_conv`."""
    return model.trunk if isinstance(model, FeatureMap) else model


def maps(model: nn.Module, input_size: int, channels: int = 3) -> frozenset[str]:
    """Names, as `watched` gives them, of the calls of layers that answer with maps [N, C, rows, columns].

    They are read from the network's structure. From an operation on that no reader knows they are told by two images:
    of the larger one a map has more rows and columns and as many channels.

    Args:
        model: maps images [N, channels, H, W] to anything; left as it is. Of `with_conv`, too.
        input_size: pixels a side.
        channels: of the images.
    """
    trunk = followed(model)
    known, whole = _read(trunk, input_size, channels)
    return frozenset(known) if whole else frozenset({*known, *_by_size(trunk, input_size, channels)})


def strides(model: nn.Module, input_size: int, channels: int = 3) -> dict[str, Pixels]:
    """The same calls as far as the network can be read, and pixels from one unit of their maps to the next.

    Args:
        model: as in `maps`.
        input_size: as in `maps`.
        channels: as in `maps`.
    """
    return _read(followed(model), input_size, channels)[0]


def _read(trunk: nn.Module, input_size: int, channels: int) -> tuple[dict[str, Pixels], bool]:
    """What is known of the calls, and whether the network could be read to its end."""
    known: dict[str, Pixels] = {}

    def look(name: str, output: Tensor) -> None:
        if isinstance(output, Reach) and output.form.is_plain and len(output.sights) == 2:
            known[name] = output.sights[0].stride

    with evaluating(trunk), torch.no_grad(), watched(trunk, look):
        try:
            reach(trunk, input_size, input_size, channels=channels)
        except Unseen as error:
            return known, "ends in no feature map" in str(error)
        except UserError:
            return known, False
    return known, True


def _by_size(trunk: nn.Module, input_size: int, channels: int) -> set[str]:
    """As told by two images; none where the network fails on one of them."""
    weights = next((p for p in trunk.parameters() if p.is_floating_point()), torch.empty(0))
    shapes: list[dict[str, torch.Size]] = []
    with evaluating(trunk), torch.no_grad():
        for side in (input_size, input_size + LARGER):
            found: dict[str, torch.Size] = {}
            try:
                with watched(trunk, lambda name, output, found=found: found.update({name: output.shape})):  # type: ignore[misc]
                    trunk(weights.new_zeros(1, channels, side, side))
            except Exception:  # other people's code: it may fail in any way
                return set()
            shapes.append(found)
    small, large = shapes
    return {name for name, shape in small.items() if _grows(shape, large.get(name, torch.Size()))}


def _grows(small: torch.Size, large: torch.Size) -> bool:
    four = len(small) == len(large) == 4
    return four and small[:2] == large[:2] and small[2] < large[2] and small[3] < large[3]
