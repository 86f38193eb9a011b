"""The hardest-in-batch triplet loss. Source: Mishchuk et al. 2017 (arXiv 1705.10872), equations 1 and 2."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLOSE = 1e-6  # squared distance below which two descriptors count as equal: a root has no gradient at 0


class HardestInBatch(nn.Module):
    """Pairs of patches of as many points to two scores each, as a two-class network has them: own and hardest other.

    Args:
        network: maps patches [N, 1, s, s] to descriptors of length 1, float [N, d].
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pairs: Tensor) -> Tensor:
        """Scores float [N, 2]: the negative distances of a pair's two patches, and of its hardest non-matching pair.

        That is the nearest of: its anchor to another's positive, and (anchor swap) another's anchor to its positive.

        Args:
            pairs: float [N, 2, 1, s, s], anchor and positive of N > 1 different points.
        """
        anchors, positives = (self.network(patches) for patches in pairs.unbind(1))
        apart = distances(anchors @ positives.T)  # [N, N]
        others = apart + torch.diag(torch.full_like(apart[0], torch.inf))
        return -torch.stack([apart.diagonal(), torch.minimum(others.amin(1), others.amin(0))], 1)


def distances(products: Tensor) -> Tensor:
    """Euclidean distances, in [0, 2], of unit vectors with these inner products; those below 0.001 are 0.001."""
    return (2 - 2 * products).clamp(min=CLOSE).sqrt()


def triplet(scores: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The mean of max(0, margin + distance of the pair - distance of the hardest other).

    Args:
        scores: float [N, 2], from `HardestInBatch`.
        labels: int64 [N], all 0: the pair's own score is the first.
        margin: by which the other must be farther.
    """
    own = scores.gather(1, labels[:, None]).squeeze(1)
    return (margin - own + scores.gather(1, 1 - labels[:, None]).squeeze(1)).relu().mean()
