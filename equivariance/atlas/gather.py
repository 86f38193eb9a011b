"""One network's geometry, without weights: what follows from its structure alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from equivariance.atlas.cap import Cap, Overtime
from equivariance.atlas.table import SECONDS
from equivariance.errors import NotFinite, UserError, reason
from equivariance.library.padding import even_sizes, padding
from equivariance.library.structure import certified_border, receptive_field
from equivariance.models.kind import CONVOLUTIONAL, kind
from equivariance.models.own import SIDE, feature_map
from equivariance.models.trunk import Trunk
from equivariance.tiles import halo

T = TypeVar("T")
DEFAULT = 224  # pixels a side where a library names no other
NOT_RUN = "does not run"


@dataclass(frozen=True)
class Row:
    """What is known of a network; None: it is not, or there is none, and `forbids` says why.

    Args:
        library: `torchvision` or `timm`.
        family: its module, or the beginning of its name.
        network: its name.
        kind: as `equivariance.models.kind` tells it, or `does not run`, and `forbids` says why; what
            follows is of convolutional ones.
        parameters: how many it has.
        input: pixels a side of the images that its library names for it.
        field: receptive field of the last feature map, in pixels.
        stride: of that map, in pixels.
        border: the smallest certified border, in pixels.
        halo: pixels around a tile that make the last feature map exact, the larger of before and after.
        even_below: pixels; the nearest size up to `input` at which every layer's padding is even.
        even_above: the same from it on.
        uneven: layers whose padding is uneven at `input`.
        forbids: the layer or operation that forbids a certificate, or exact tiles where there is one.
    """

    library: str
    family: str
    network: str
    kind: str
    parameters: int = 0
    input: int = 0
    field: int | None = None
    stride: int | None = None
    border: int | None = None
    halo: int | None = None
    even_below: int | None = None
    even_above: int | None = None
    uneven: int | None = None
    forbids: str = ""


def families(libraries: tuple[str, ...] = ("torchvision", "timm")) -> Iterator[tuple[str, str, list[str]]]:
    """Library, family and names of all networks that take pictures, of the libraries that are installed."""
    if "torchvision" in libraries:
        from torchvision import models

        named: dict[str, list[str]] = {}
        for name in models.list_models(module=models):
            named.setdefault(name.rstrip("0123456789").partition("_")[0].rstrip("0123456789"), []).append(name)
        yield from (("torchvision", family, names) for family, names in named.items())
    if "timm" in libraries:
        try:
            import timm
        except ImportError:
            return
        yield from (
            ("timm", family, names) for family in timm.list_modules() if (names := timm.list_models(module=family))
        )


def row(library: str, family: str, name: str, seconds: float = SECONDS) -> Row:
    """One network.

    Args:
        library: of the network.
        family: of the network.
        name: of the network.
        seconds: of one processor core that all of it may take; what is not known by then says so in `forbids`.
    """
    cap = Cap(seconds)
    failed: list[str] = []
    net, what = _asked(lambda: _built(library, name, failed), failed, cap) or (None, NOT_RUN)
    if net is None or what != CONVOLUTIONAL:
        return Row(library, family, name, what, forbids=failed[-1] if failed and net is None else "")
    side = int(getattr(net, "default_cfg", {}).get("input_size", (3, DEFAULT, DEFAULT))[-1])
    count = sum(p.numel() for p in net.parameters())
    reasons: list[str] = []
    field = _asked(lambda: receptive_field(net), reasons, cap)
    stride = int(field.stride) if field and float(field.stride).is_integer() else None
    border = _asked(lambda: certified_border(net), reasons, cap) if field else None
    if field and border is None and not reasons:
        reasons.append("its stride: two places 64 pixels apart are out of phase")
    pads = _asked(lambda: padding(net, side), [], cap)
    whole = pads is not None and pads.unseen is None
    sizes = _asked(lambda: even_sizes(net, side, stride or 32), [], cap) if whole else None
    tiles = _asked(lambda: halo(_trunk(net)), reasons, cap) if field else None
    reasons += [str(r) for r in tiles.reasons[:1]] if tiles else []
    return Row(
        library, family, name, what, count, side,
        field=field.field if field else None,
        stride=stride,
        border=border,
        halo=max(*tiles.before, *tiles.after) if tiles and tiles.exact else None,
        even_below=sizes[0] if sizes else None,
        even_above=sizes[1] if sizes else None,
        uneven=len(pads.uneven) if pads is not None and whole else None,
        forbids=reasons[0] if reasons else "",
    )  # fmt: skip


def _built(library: str, name: str, failed: list[str]) -> tuple[nn.Module | None, str]:
    for device in ("meta", "cpu"):  # where numbers are not needed, giants cost nothing
        try:
            with torch.device(device), torch.random.fork_rng():
                net = _made(library, name).eval()
                return net, kind(net)
        except Exception as error:  # other people's code: some constructors compute with numbers, others lack imports
            failed.append(f"fails ({reason(error)})")
    return None, NOT_RUN


def _made(library: str, name: str) -> nn.Module:
    if library == "timm":
        import timm

        return timm.create_model(name)
    from torchvision import models

    return models.get_model(name, weights=None)


def _trunk(net: nn.Module) -> nn.Module:
    device = next(net.parameters()).device
    return Trunk(net, feature_map(net, type(net).__name__, None, torch.zeros(1, 3, SIDE, SIDE, device=device)))


def _asked(question: Callable[[], T], reasons: list[str], cap: Cap) -> T | None:
    try:
        with cap():
            return question()
    except Overtime:
        reasons.append(str(cap))
    except (UserError, NotFinite) as error:
        reasons.append(str(error).removesuffix("; no certificate for this network"))
    except Exception as error:  # other people's code: it may fail in any way
        reasons.append(f"fails ({reason(error)})")
    return None


def plain(found: Row) -> dict[str, Any]:
    """A row for csv; empty texts for what is not known."""
    return {key: "" if value is None else value for key, value in vars(found).items()}
