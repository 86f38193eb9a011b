"""The statistics of batch normalisation, measured anew once the weights are final.

Most of an image that shows an object on a canvas is background. How a channel answers to it is common to all images, so
that the running averages of the last few batches, a fifth of a standard deviation off, can move all scores by more than
classes are apart: networks right for 77 % with the batch's statistics were for 15 % with the running ones.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivariance.train import Examples


def measure(model: nn.Module, examples: Examples, batch: int) -> None:
    """Gives every batch normalisation the mean over batches of their mean and variance, and leaves eval mode.

    Batches are as alike in size as can be, and count by their size: a picture that is left over would weigh as many.
    None is of one example, which may have no variance, where there are more.

    Args:
        model: its batch normalisations that keep running statistics are changed in place, its weights are not.
        examples: the training split.
        batch: examples at once, at most (three where pairs leave one).
    Source: Wu & Johnson 2021 (2105.07576), section 3, "precise BatchNorm".
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    model.eval()  # dropout is as in use
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    seen, count = 0, len(examples)
    with torch.no_grad():
        for chosen in torch.arange(count).tensor_split(min(-(-count // batch), max(1, count // 2))):
            seen += len(chosen)
            for norm in norms:
                norm.momentum = len(chosen) / seen  # the running mean is then that of all so far
            model(examples.inputs(chosen))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()
