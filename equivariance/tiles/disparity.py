"""What normalisation does otherwise in training than afterwards, in one number."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import nn

from equivariance.tiles.arguments import bound
from equivariance.tiles.arrays import Prepare, Source, weight
from equivariance.tiles.mismatch import Mismatch, whole
from equivariance.tiles.output import Selected
from equivariance.tiles.watching import Watching


def train_eval_disparity(
    model: nn.Module, image: Any, *, output: str | None = None, prepare: Prepare | None = None
) -> Mismatch:
    """How far a network's output moves when its norms take an image's own statistics instead of running ones.

    It tells whether running statistics are those of the image: where it is large, the network has learnt on others than
    it now meets (few images a batch, another source). All else stays in the mode in which it is, so dropout does not
    count; the model is left as it is. Norms that do the same in both modes (group norm, instance norm without running
    statistics) give 0: what these cost, `seam` says. Maps of one number a channel keep their running statistics. Not
    for: networks in train mode, whose norms do so already.

    Args:
        model: as in `tiled`.
        image: as in `tiled`, small enough for the network to take at once, as a batch of one.
        output: as in `halo`.
        prepare: as in `tiled`.
    Returns: Of the output with the image's statistics, from that with running ones.
    Raises: UserError: as `tiled`.
    Source: the train/eval disparity of Buglakova et al., ICCV 2025 (arXiv 2503.19545), who compare predictions for the
        same images in both modes; that an image is the batch, and which numbers are taken of the difference, is ours.

    >>> from torch import nn, rand
    >>> net, image = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval(), rand(1, 20, 20)
    >>> train_eval_disparity(net, image).rms > 0.1, train_eval_disparity(net[:1], image).rms
    (True, 0.0)
    """
    network, source = Selected(model, output), Source(image, prepare, weight(model))
    return disparity(network, source, whole(network, source))


def disparity(network: Selected, source: Source, right: Any) -> Mismatch:
    """The same, where the output with running statistics is known."""
    with _Own():
        return Mismatch.of(right, whole(network, source))


class _Own(Watching):
    """Norms take the statistics of what they are given, and keep nothing of it."""

    def see(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The call, of norms with other statistics."""
        mode = {F.batch_norm: "training", F.instance_norm: "use_input_stats"}.get(func)
        if mode is None:
            return func(*args, **kwargs)
        given = bound(func, args, kwargs)
        if given["running_mean"] is None or given["input"][0, 0].numel() == 1:
            return func(**given)
        return func(**{**given, "running_mean": None, "running_var": None, mode: True})
