"""The convolutional part of any classification network, by the library it comes from and its name."""

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.errors import UserError, reason
from equivariance.models import own
from equivariance.models.bagnet import bagnet33
from equivariance.models.resnet_small import DEPTHS, resnet_small

# Children with which a classification network leaves its feature map; what precedes the first of them is the trunk.
HEADS = {"avgpool", "classifier", "fc", "dropout", "head", "aux1", "aux2"}
# Side in pixels of the blank image that tells a trunk's channels; Inception needs 75.
PROBE = 96


class Trunk(nn.Module):
    """A network up to its last feature map.

    Args:
        network: the whole network; its parameter names are those of published checkpoints.
        features: maps normalised images [N, 3, H, W] to the feature map [N, C, H', W'].

    Attributes:
        channels: int, C.
    """

    channels: int
    _features: Callable[[Tensor], Tensor]

    def __init__(self, network: nn.Module, features: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        # Kept out of the module tree: its parts are in `network` already, and a module belongs there once.
        object.__setattr__(self, "_features", features)

    def forward(self, x: Tensor) -> Tensor:
        """The last feature map [N, C, H', W']."""
        return self._features(x)


def trunk(library: str, name: str, kwargs: dict[str, Any] | None = None, features: str | None = None) -> Trunk:
    """A randomly initialised network, cut before its pooling and classifier.

    Args:
        library: one of LIBRARIES, or `python`.
        name: the network's name in that library; `module:name` of a callable of one's own.
        kwargs: of that callable, or of the library's own: its width, say.
        features: module of a network of one's own whose output is the map; None: found by itself.
    Returns: The trunk; its weights come from torch's global generator.
    Raises: UserError: the library lacks the network or cannot build it, or the network ends in no feature map.
    """
    own = kwargs or {}
    try:
        found = _python(name, own, features) if library == "python" else LIBRARIES[library](name, **own)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # other people's code: it may fail in any way
        raise UserError(f"arch.name={name}: cannot be built ({reason(error)})") from error
    found.channels = _channels(found, name)
    return found


def _channels(found: Trunk, name: str) -> int:
    found.eval()
    try:
        with torch.no_grad():
            feature_map = found(torch.zeros(1, 3, PROBE, PROBE))
    except Exception as error:  # transformers fail here in many ways: no common forward, fixed sizes, no map
        raise UserError(f"arch.name={name}: not a convolutional network ({reason(error)})") from error
    dimensions = feature_map.dim() if isinstance(feature_map, Tensor) else None
    if dimensions != 4:
        ends = f"{dimensions} dimensions" if dimensions is not None else f"a {type(feature_map).__name__}"
        raise UserError(f"arch.name={name}: ends in {ends}, not in a feature map [N, C, H, W]")
    found.train()
    return feature_map.shape[1]


def _python(name: str, kwargs: dict[str, Any], features: str | None) -> Trunk:
    made = own.network(name, kwargs)
    return Trunk(made, own.feature_map(made.eval(), name, features, torch.zeros(1, 3, own.SIDE, own.SIDE)))


def _bundled(name: str, **kwargs: Any) -> Trunk:
    if name in DEPTHS:
        small = resnet_small(name, **kwargs)
        return Trunk(small, small)
    if name != "bagnet33":
        known = ", ".join(["bagnet33", *DEPTHS])
        raise UserError(f"arch.name={name}: arch.library=equivariance has {known} only")
    network = bagnet33()
    return Trunk(network, _before_head(network))


def _torchvision(name: str, **kwargs: Any) -> Trunk:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UserError(f"arch.name={name}: not a torchvision network; allowed: {', '.join(known)}")
    # GoogLeNet and Inception would otherwise add classifiers half-way, and draw their weights very slowly.
    extra = {"aux_logits": False, "init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    network = models.get_model(name, weights=None, **extra, **kwargs)
    features = _before_head(network)
    if isinstance(network, models.DenseNet):  # its forward applies a ReLU outside any module
        features.append(nn.ReLU(inplace=True))
    return Trunk(network, features)


def _timm(name: str, **kwargs: Any) -> Trunk:
    try:
        import timm
    except ImportError as error:
        raise UserError("arch.library=timm: timm is not installed; pip install 'equivariance[timm]'") from error
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), 8)
        raise UserError(f"arch.name={name}: not a timm network; similar: {', '.join(near) or 'none'}")
    network: Any = timm.create_model(name, pretrained=False, **kwargs)
    if getattr(network, "output_fmt", "NCHW") == "NHWC":
        return Trunk(network, partial(_channels_second, network.forward_features))
    return Trunk(network, network.forward_features)


def _channels_second(features: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return features(images).permute(0, 3, 1, 2)  # [N, H, W, C] -> [N, C, H, W]


def _efficientnet_lite(name: str) -> Trunk:
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UserError(f"arch.name={name}: pip install 'equivariance[pretrained]' for this network") from error
    if name != "efficientnet-lite0":
        raise UserError(f"arch.name={name}: arch.library=efficientnet_lite has efficientnet-lite0 only")
    network = EfficientNet.from_name(name)
    return Trunk(network, network.extract_features)


def _before_head(network: nn.Module) -> nn.Sequential:
    children = []
    for name, child in network.named_children():
        if name in HEADS:
            break
        children.append(child)
    return nn.Sequential(*children)


LIBRARIES: dict[str, Callable[..., Trunk]] = {
    "equivariance": _bundled,
    "torchvision": _torchvision,
    "timm": _timm,
    "efficientnet_lite": _efficientnet_lite,
}
