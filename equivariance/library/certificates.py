"""A certificate: what is proved of one model, as text that is the same, byte for byte, whenever the model is."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from equivariance.errors import NotFinite, UserError
from equivariance.library.padding import padding
from equivariance.library.structure import certified_border, receptive_field
from equivariance.origin import release
from equivariance.tiles import halo

FORMAT = 1


@dataclass(frozen=True)
class Certificate:
    """What is proved of a model.

    Args:
        format: of this certificate.
        model: its class.
        weights: SHA-256 of all parameters and buffers: names, types, shapes and bytes, in the order of names.
        structure: SHA-256 of the model as it prints itself, addresses left out: its layers and their settings.
        code: for each class of the model that is not torch's own, SHA-256 of the file that it is defined in; None: the
            file is not at hand.
        versions: of torch, which computes, and of this package, which proves.
        proved: each figure with its number, or why there is none: `receptive_field` and `stride` (pixels),
            `certified_border` (pixels: from this border on no weights tell two places apart), `exact_tiles` (pixels
            of halo before and after), `even_padding` (at `input_size`).
    """

    format: int
    model: str
    weights: str
    structure: str
    code: dict[str, str | None]
    versions: dict[str, str]
    proved: dict[str, Any]

    def __str__(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def certificate(model: nn.Module, input_size: int = 224, channels: int = 3) -> Certificate:
    """Proves what can be proved of a model, and says of which model.

    Equal models give equal text on any machine with the same versions. What a model reads besides (files, globals,
    plain attributes that it does not print) is in no digest. Not for: a model's accuracy, or what is measured.

    Args:
        model: maps images [N, channels, H, W] to anything; left as it is.
        input_size: pixels a side, for the evenness of padding.
        channels: of the images.
    Raises: UserError: the model has no weights to name (device meta).

    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1))
    >>> certificate(net).proved["certified_border"]
    2
    """
    if any(p.is_meta for p in model.parameters()):
        raise UserError("the model has no weights that a certificate could name")
    field = _proved(lambda: receptive_field(model, channels)._asdict())
    field = {name: str(value) if name == "stride" else value for name, value in field.items()}
    proved = {
        "input_size": input_size,
        "receptive_field": field,
        "certified_border": _proved(lambda: _border(model, channels)),
        "even_padding": _proved(lambda: _even(model, input_size, channels)),
        "exact_tiles": _proved(lambda: _tiles(model, channels)),
    }
    return Certificate(
        format=FORMAT,
        model=f"{type(model).__module__}.{type(model).__qualname__}",
        weights=_weights(model),
        structure=hashlib.sha256(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(model)).encode()).hexdigest(),
        code=_code(model),
        versions={"torch": str(torch.__version__), "equivariance": release() or "not installed"},
        proved=proved,
    )


def _proved(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except (UserError, NotFinite) as error:
        return {"none": str(error)}


def _border(model: nn.Module, channels: int) -> Any:
    receptive_field(model, channels)  # raises, and says which operation is not known
    found = certified_border(model, channels=channels)
    return {"none": "no border is certain"} if found is None else found


def _even(model: nn.Module, input_size: int, channels: int) -> Any:
    found = padding(model, input_size, channels)
    if found.unseen:
        return {"none": found.unseen}
    return True if not found.uneven else {"none": str(found.uneven[0])}


def _tiles(model: nn.Module, channels: int) -> Any:
    found = halo(model, channels)
    return [found.before, found.after] if found.exact else {"none": str(found.reasons[0])}


def _weights(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tensor!r}".encode())
            continue
        bits = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(bits.numpy().tobytes())
    return digest.hexdigest()


def _code(model: nn.Module) -> dict[str, str | None]:
    kinds = {type(module) for module in model.modules()}
    own = sorted(
        (k for k in kinds if k.__module__.partition(".")[0] != "torch"), key=lambda k: (k.__module__, k.__qualname__)
    )
    return {f"{kind.__module__}.{kind.__qualname__}": _file(kind) for kind in own}


def _file(kind: type) -> str | None:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else None
