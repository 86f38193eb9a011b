"""Trunk, global pooling and a linear head: the same for every network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equivariance.errors import UserError
from equivariance.models.boundary import full, unwrap
from equivariance.models.trunk import Trunk

Rule = Callable[[Tensor], Tensor]


def published(images: Tensor) -> Tensor:
    """`same`: the network meets the boundary as it was published."""
    return images


CONVS: dict[str, Rule] = {"same": published, "full": full}


class FeatureMap(nn.Module):
    """A trunk that meets the boundary in a stated way.

    Args:
        trunk: maps images [N, 3, H, W] to a feature map [N, C, H', W'].
        conv: a key of CONVS.
    """

    def __init__(self, trunk: Trunk, conv: str) -> None:
        super().__init__()
        self.trunk, self.conv = trunk, conv

    def forward(self, images: Tensor) -> Tensor:
        """The last feature map [N, C, H', W'] of images [N, 3, H, W], dense or canvas alike."""
        try:
            return unwrap(self.trunk(CONVS[self.conv](images)))
        except (RuntimeError, ValueError) as error:
            if "size is too small" in str(error) or "can't be greater than actual" in str(error):
                raise UserError(f"images of {images.shape[2]} pixels are too small for this network") from error
            raise


class Classifier(nn.Module):
    """Scores for classes from globally pooled features.

    Args:
        trunk: maps images [N, 3, H, W] to a feature map [N, C, H', W'].
        conv: a key of CONVS; how the trunk meets the boundary.
        pooling: `max` or `avg`, over the whole map.
        classes: int, width of the head.
    Source: Kayhan & van Gemert 2020, section 3 (global max pooling; the same for all networks here).
    """

    def __init__(self, trunk: Trunk, conv: str, pooling: str, classes: int = 2) -> None:
        super().__init__()
        self.feature_map, self.pooling = FeatureMap(trunk, conv), pooling
        self.head = nn.Linear(trunk.channels, classes)

    @property
    def trunk(self) -> Trunk:
        """The convolutional part."""
        return self.feature_map.trunk

    def features(self, images: Tensor) -> Tensor:
        """Pooled features [N, C] of images [N, 3, H, W].

        The maximum is `amax`, whose gradient is shared evenly among ties: a flat background ties everywhere, and a
        gradient that went to the first of the tied cells would itself depend on position.
        """
        found = self.feature_map(images)
        return torch.amax(found, (2, 3)) if self.pooling == "max" else found.mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [N, classes] of images [N, 3, H, W]."""
        return self.head(self.features(images))
