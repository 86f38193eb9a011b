"""The clips of a run, as its network takes them: random ones to train on, those of the middle for all else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.data.clips import Films
from equivariance.data.clips.sampling import Cut, central, clip, drawn
from equivariance.train import Examples

if TYPE_CHECKING:
    from equivariance.experiments.action.config import ActionRun


class Clips:
    """Clips as the network takes them."""

    def __init__(self, config: ActionRun, films: Films, device: torch.device) -> None:
        self.data, self.films, self.device = config.data, films, device
        self.mean, self.std = (torch.tensor(v)[:, None, None, None] for v in (config.arch.mean, config.arch.std))

    def tensor(self, chosen: list[tuple[int, Cut]]) -> Tensor:
        """[b, 3, T, side, side], normalised."""
        frames, side = self.data.frames, self.data.side
        clips = torch.stack([clip(self.films, number, cut, frames, side) for number, cut in chosen])
        whole = ((clips - self.mean) / self.std).to(torch.get_default_dtype())
        return whole.contiguous(memory_format=torch.channels_last_3d)


class Random(Clips):
    """Random clips, others in each epoch, the same for all variants of a seed, and for a run that goes on."""

    def __init__(self, config: ActionRun, films: Films, device: torch.device) -> None:
        super().__init__(config, films, device)
        self.seed, self.epochs = config.seed, set[int]()

    def __call__(self, chosen: Tensor, epoch: int) -> Tensor:
        """A clip of each of some videos, int64 [b], in an epoch: see `tensor`."""
        data, length, numbers = self.data, self.films.videos.length, chosen.tolist()
        self.epochs.add(epoch)
        randoms = [np.random.default_rng([self.seed, epoch, number]) for number in numbers]
        cuts = (drawn(length(n), data.frames, data.scales, data.flip, r) for n, r in zip(numbers, randoms, strict=True))
        return self.tensor(list(zip(numbers, cuts, strict=True)))


class Central(Clips):
    """Clips of the middle of each video, one after another."""

    def __init__(self, config: ActionRun, films: Films, device: torch.device) -> None:
        super().__init__(config, films, device)
        self.clips, self.batch = central(films, config.data.frames, config.data.clips), config.optim.batch
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
