"""Trunk, global pooling and a linear head: the same for every network."""

import traceback
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from equivariance.boundary import RULES, SAME, STRIDED, Rule, Sampling, bounded, unwrap
from equivariance.errors import UserError, reason
from equivariance.models.trunk import Trunk
from equivariance.ops import Map, uncompiled
from equivariance.registries import CONVS

# What torch says of a kernel or padding that an image cannot hold.
TOO_SMALL = ("size is too small", "can't be greater than actual", "Padding size should be less than")


def rule(conv: str) -> Rule:
    """What a convolution type says; of one's own, too."""
    return SAME if conv == "same" else RULES[conv] if conv in RULES else CONVS.get(conv)


class FeatureMap(nn.Module):
    """A trunk that meets the boundary in a stated way.

    Args:
        trunk: maps images [N, 3, H, W] to a feature map [N, C, H', W']; or videos [N, 3, T, H, W] to
            [N, C, T', H', W'].
        conv: a convolution type.
        sampling: how strided layers sample.
        axes: of videos, those that the type is about: `space+time`, or `space`, which leaves time as published.

    Attributes:
        background: float [3], the colour around the images, which conv=unbounded continues; None: zero.
        kept: rows and columns of the map that are given, from the first of the published map on; None: all of it.
    """

    def __init__(self, trunk: nn.Module, conv: str, sampling: Sampling = STRIDED, axes: str = "space+time") -> None:
        super().__init__()
        self.trunk, self.conv, self.sampling, self.axes = trunk, conv, sampling, axes
        self.background: tuple[float, ...] | None = None
        self.kept: tuple[int, ...] | None = None

    def forward(self, images: Tensor) -> Tensor:
        """The last feature map [N, C, H', W'] of images [N, 3, H, W], dense or canvas alike."""
        try:
            if self.conv == "same" and self.sampling.strided:
                with uncompiled() if isinstance(images, Map) else nullcontext():
                    return self.trunk(images)
            still = (0,) if self.axes == "space" and images.dim() == 5 else ()
            with uncompiled():
                found = self.trunk(bounded(images, rule(self.conv), self.background, self.sampling, still))
                whole = unwrap(found)
                return whole if self.kept is None else found.sampled().over((0,) * len(self.kept), self.kept)
        except (RuntimeError, ValueError) as error:
            if any(said in str(error) for said in TOO_SMALL):
                raise UserError(f"images of {images.shape[-2]} pixels are too small for this network") from error
            if self.conv != "same" and _of_its_own(error):
                refused = f"conv={self.conv}: the network does not take maps of the size they have there"
                raise UserError(f"{refused} ({reason(error)})") from error
            raise


def _of_its_own(error: Exception) -> bool:
    """Whether plain tensors of the network's own met, embeddings of positions say, and no reader was at work."""
    frames = traceback.walk_tb(error.__traceback__)
    return not any(frame.f_code.co_name == "__torch_function__" for frame, _ in frames)


class Classifier(nn.Module):
    """Scores for classes from globally pooled features.

    Args:
        trunk: maps images [N, 3, H, W] to a feature map [N, C, H', W'].
        conv: a convolution type; how the trunk meets the boundary.
        pooling: `max` or `avg`, over the whole map.
        classes: int, width of the head.
        sampling: how the trunk's strided layers sample.
        axes: see `FeatureMap`.
    Source: Kayhan & van Gemert 2020, section 3 (global max pooling; the same for all networks here).
    """

    def __init__(
        self,
        trunk: Trunk,
        conv: str,
        pooling: str,
        classes: int = 2,
        sampling: Sampling = STRIDED,
        axes: str = "space+time",
    ) -> None:
        super().__init__()
        self.feature_map, self.pooling = FeatureMap(trunk, conv, sampling, axes), pooling
        self.head = nn.Linear(trunk.channels, classes)

    @property
    def trunk(self) -> nn.Module:
        """The convolutional part."""
        return self.feature_map.trunk

    def features(self, images: Tensor) -> Tensor:
        """Pooled features [N, C] of images [N, 3, H, W] or videos [N, 3, T, H, W].

        The maximum is `amax`, whose gradient is shared evenly among ties: a flat background ties everywhere, and a
        gradient that went to the first of the tied cells would itself depend on position.
        """
        found = self.feature_map(images)
        space = tuple(range(2, found.dim()))
        return torch.amax(found, space) if self.pooling == "max" else found.mean(space)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [N, classes] of images [N, 3, H, W] or videos [N, 3, T, H, W]."""
        return self.head(self.features(images))
