"""A light network of each family of torchvision and timm, and what kind of network it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from equivariance.models.kind import CONVOLUTIONAL, kind

# What the names of small networks hold.
LIGHT = (
    "atto",
    "femto",
    "pico",
    "nano",
    "xxs",
    "tiny",
    "mini",
    "small",
    "lite",
    "005",
    "_x",
    "050",
    "s0",
    "s12",
    "_b0",
)
LIGHT += ("18", "26")


@dataclass(frozen=True)
class Light:
    """A light network of a family.

    Args:
        library: `torchvision` or `timm`.
        family: the name of the family.
        name: of the network in its library.
        kind: as `kind` has it.
        parameters: how many it has.
    """

    library: str
    family: str
    name: str
    kind: str
    parameters: float


def networks(libraries: list[str], only: str = "") -> Iterator[Light]:
    """The lightest of each torchvision family and of each timm module, found as it goes; convolutional where one is.

    Args:
        libraries: of `torchvision` and `timm`.
        only: part of the names of families that are wanted.
    """
    for library in libraries:
        for family, names, build in {"torchvision": _torchvision, "timm": _timm}[library]():
            if only in family:
                likely = sorted(names, key=lambda name: (-sum(word in name for word in LIGHT), len(name), name))
                found = [_known(library, family, name, partial(build, name)) for name in likely[:6]]
                yield min(found, key=lambda light: (light.kind != CONVOLUTIONAL, light.parameters))


Family = tuple[str, list[str], Callable[[str], nn.Module]]


def _torchvision() -> Iterator[Family]:
    from torchvision import models

    families: dict[str, list[str]] = {}
    for name in models.list_models(module=models):
        families.setdefault(name.rstrip("0123456789").partition("_")[0].rstrip("0123456789"), []).append(name)
    for family, names in families.items():
        yield family, names, lambda name: models.get_model(name, weights=None)


def _timm() -> Iterator[Family]:
    import timm

    for family in timm.list_modules():
        if names := timm.list_models(module=family):
            yield family, names, timm.create_model


def _known(library: str, family: str, name: str, build: Callable[[], nn.Module]) -> Light:
    for device in ("meta", "cpu"):  # where numbers are not needed, giants cost nothing
        try:
            with torch.device(device):
                network = build().eval()
                return Light(library, family, name, kind(network), sum(p.numel() for p in network.parameters()))
        except Exception:  # some constructors compute with numbers, others lack what they import
            continue
    return Light(library, family, name, "does not run", float("inf"))
