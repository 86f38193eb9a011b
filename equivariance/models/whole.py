"""A network as its library gives it, with all of its outputs: no trunk is cut, no head replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance.errors import UserError, reason
from equivariance.models import own

if TYPE_CHECKING:
    from equivariance.config import Arch


def whole(arch: Arch, hollow: bool = True) -> nn.Module:
    """A network in eval mode.

    Args:
        hollow: without weights where the library can, for what follows from its structure alone; else random ones.
        arch: library and name: `torchvision` (segmentation networks too), `timm` or `python`.
    Raises: UserError: the library lacks the network or cannot build it.
    """
    if arch.library == "python":
        return own.network(arch.name, getattr(arch, "kwargs", None) or {}).eval()
    if arch.library not in ("torchvision", "timm"):
        raise UserError(f"arch.library={arch.library}: allowed: torchvision, timm, python")
    try:
        return (_torchvision if arch.library == "torchvision" else _timm)(arch.name, hollow).eval()
    except (UserError, MemoryError):
        raise
    except Exception as error:  # other people's code: it may fail in any way
        raise UserError(f"arch.name={arch.name}: cannot be built ({reason(error)})") from error


def output(arch: Arch) -> str | None:
    """Which of several outputs is the map, in networks whose library says so: `out` of torchvision's segmentation."""
    if arch.library != "torchvision":
        return None
    from torchvision import models

    return "out" if arch.name in models.list_models(models.segmentation) else None


def _torchvision(name: str, hollow: bool) -> nn.Module:
    from torchvision import models

    known = [n for n in models.list_models() if not n.startswith("quantized")]
    if name not in known:
        near = [n for n in known if n.partition("_")[0] == name.partition("_")[0]] or known
        raise UserError(f"arch.name={name}: not a torchvision network; allowed: {', '.join(near)}")
    backbone = {"weights_backbone": None} if models.list_models(models.segmentation).count(name) else {}
    with torch.device("meta" if hollow else "cpu"):
        return models.get_model(name, weights=None, **backbone)


def _timm(name: str, _: bool) -> nn.Module:
    import timm

    if name not in timm.list_models():
        raise UserError(f"arch.name={name}: not a timm network; allowed: those of timm.list_models()")
    return timm.create_model(name)
