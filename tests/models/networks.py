"""Networks for the tests, and what they answer to a picture at one place or another."""

import torch
from torch import Tensor, nn

from equivariance.boundary import RULES, Bounded, bounded, unwrap
from equivariance.models.trunk import Trunk, trunk

LIBRARY = {"bagnet33": "equivariance", "efficientnet-lite0": "efficientnet_lite"}
# What the extras bring, to skip where they are missing.
EXTRA = {"efficientnet-lite0": "efficientnet_lite_pytorch"}


def full(images: torch.Tensor) -> Bounded:
    """A forward pass with full convolution."""
    return bounded(images, RULES["full"])


def network(name: str, seed: int = 0) -> Trunk:
    """A trunk in float64 and eval mode, its batch normalisation fresh: it maps zero to zero."""
    torch.manual_seed(seed)
    return trunk(LIBRARY.get(name, "torchvision"), name).double().eval()


def shift_normalisation(net: nn.Module, seed: int = 0) -> None:
    """Random statistics, scales and shifts: zero no longer maps to zero."""
    generator = torch.Generator().manual_seed(seed)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.copy_(0.3 * torch.randn(norm.num_features, generator=generator))
            norm.running_var.copy_(0.5 + torch.rand(norm.num_features, generator=generator))
            norm.weight.data.copy_(0.8 + 0.4 * torch.rand(norm.num_features, generator=generator))
            norm.bias.data.copy_(0.3 * torch.randn(norm.num_features, generator=generator))


def disturb(net: nn.Module) -> nn.Module:
    """Weights with which nothing is zero by accident: random biases and normalisation."""
    shift_normalisation(net)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.normal_(layer.bias, std=0.1)
    return net


def picture_at(y: int, x: int, side: int, picture: int = 24, seed: int = 0) -> Tensor:
    """A random picture at one place of a zero canvas, float64 [1, 3, side, side]."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(1, 3, side, side, dtype=torch.float64)
    image[..., y : y + picture, x : x + picture] = torch.randn(
        3, picture, picture, generator=generator, dtype=torch.float64
    )
    return image


def pooled(net: nn.Module, image: Tensor, conv: str) -> tuple[Tensor, Tensor]:
    """Globally pooled features, maximum and sum (an average over a map of given size), without gradients."""
    with torch.no_grad():
        found = unwrap(net(full(image) if conv == "full" else image))
    return found.amax((2, 3)), found.sum((2, 3))


def apart(net: nn.Module, one: Tensor, other: Tensor, conv: str) -> float:
    """Largest difference of pooled features, as a share of the largest feature."""
    differences = []
    for a, b in zip(pooled(net, one, conv), pooled(net, other, conv), strict=True):
        assert a.abs().max() > 0
        differences.append(((a - b).abs().max() / a.abs().max()).item())
    return max(differences)
