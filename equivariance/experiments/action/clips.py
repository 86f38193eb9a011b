"""The clips of a run, as its network takes them: random ones to train on, those of the middle for all else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivariance.data.clips import Films
from equivariance.data.clips.sampling import Cut, central, clip, drawn
from equivariance.train import Examples

if TYPE_CHECKING:
    from equivariance.experiments.action.config import ActionRun


class Clips:
    """Clips as the network takes them.

    Args:
        config: the run.
        films: what they are of.
        device: where they go.
        margins: entries of zeros, after normalisation, on both sides along time, rows and columns; (): none.
    """

    def __init__(self, config: ActionRun, films: Films, device: torch.device, margins: tuple[int, ...] = ()) -> None:
        self.data, self.films, self.device = config.data, films, device
        self.around = [each for margin in reversed(margins) for each in (margin, margin)]  # as F.pad takes them
        self.mean, self.std = (torch.tensor(v)[:, None, None, None] for v in (config.arch.mean, config.arch.std))

    def tensor(self, chosen: list[tuple[int, Cut]]) -> Tensor:
        """[b, 3, T, side, side], normalised."""
        frames, side = self.data.length, self.data.side
        clips = torch.stack([clip(self.films, number, cut, frames, side) for number, cut in chosen])
        whole = F.pad((clips - self.mean) / self.std, self.around).to(torch.get_default_dtype())
        return whole.contiguous(memory_format=torch.channels_last_3d)


class Random(Clips):
    """Random clips, others in each epoch, the same for all variants of a seed, and for a run that goes on."""

    def __init__(self, config: ActionRun, films: Films, device: torch.device, margins: tuple[int, ...] = ()) -> None:
        super().__init__(config, films, device, margins)
        self.seed, self.epochs = config.seed, set[int]()

    def __call__(self, chosen: Tensor, epoch: int) -> Tensor:
        """A clip of each of some videos, int64 [b], in an epoch: see `tensor`."""
        data, length, numbers = self.data, self.films.videos.length, chosen.tolist()
        self.epochs.add(epoch)
        randoms = [np.random.default_rng([self.seed, epoch, number]) for number in numbers]
        cuts = (drawn(length(n), data.length, data.scales, data.flip, r) for n, r in zip(numbers, randoms, strict=True))
        return self.tensor(list(zip(numbers, cuts, strict=True)))


class Central(Clips):
    """Clips of the middle of each video, one after another."""

    def __init__(self, config: ActionRun, films: Films, device: torch.device, margins: tuple[int, ...] = ()) -> None:
        super().__init__(config, films, device, margins)
        self.clips, self.batch = central(films, config.data.length, config.data.clips), config.optim.batch
        self.videos = torch.tensor([number for number, _ in self.clips])
        self.labels = films.labels[self.videos]

    def examples(self) -> Examples:
        """All of them."""

        def inputs(chosen: Tensor) -> Tensor:
            return self.tensor([self.clips[i] for i in chosen.tolist()]).to(self.device)

        return Examples(self.labels.to(self.device), inputs)

    def scores(self, model: nn.Module) -> Tensor:
        """Class scores [clips, classes], float64, on the CPU."""
        model.eval()
        examples = self.examples()
        with torch.inference_mode():
            parts = torch.arange(len(self.clips)).split(self.batch)
            return torch.cat([model(examples.inputs(part)).cpu().double() for part in parts])
