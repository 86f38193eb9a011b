"""When training ends, how the learning rate falls, and which weights are kept."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from equivariance.train import Score


class Rule(Protocol):
    """Hears of each epoch's validation score."""

    def goes_on(self, validated: Score, model: nn.Module, optimiser: Optimizer) -> bool:
        """Whether another epoch follows; may change rate and weights."""

    def settle(self, model: nn.Module) -> None:
        """Leaves the model with the weights that are kept."""


class Fixed:
    """All epochs, and the last weights."""

    def goes_on(self, validated: Score, model: nn.Module, optimiser: Optimizer) -> bool:
        """Always."""
        return True

    def settle(self, model: nn.Module) -> None:
        """They are there."""


class Schedule(Fixed):
    """All epochs; the learning rate follows from how many are done.

    Args:
        lr: learning rate of the first epoch.
        best: whether the weights of the epoch with the highest validation accuracy are kept, the first of several;
            else the last ones.
    """

    def __init__(self, lr: float, best: bool = False) -> None:
        self.lr, self.done, self.highest = lr, 0, -1.0 if best else math.inf
        self.best: dict[str, Tensor] = {}

    def share(self) -> float:
        """Of the first epoch's learning rate, in [0, 1], after `done` epochs."""
        raise NotImplementedError

    def goes_on(self, validated: Score, model: nn.Module, optimiser: Optimizer) -> bool:
        """Always, at another rate."""
        self.done += 1
        for group in optimiser.param_groups:
            group["lr"] = self.lr * self.share()
        if validated.accuracy > self.highest:
            self.highest, self.best = validated.accuracy, copy.deepcopy(model.state_dict())
        return True

    def settle(self, model: nn.Module) -> None:
        """Those that are kept."""
        if self.best:
            model.load_state_dict(self.best)


class Cosine(Schedule):
    """All epochs; the learning rate falls by half a cosine.

    Args:
        lr: learning rate of the first epoch.
        epochs: after which it would be 0.
        best: see `Schedule`.
    Source: Loshchilov & Hutter 2017 (arXiv 1608.03983), without restarts.
    """

    def __init__(self, lr: float, epochs: int, best: bool = False) -> None:
        super().__init__(lr, best)
        self.epochs = epochs

    def share(self) -> float:
        """From 1 to 0."""
        return (1 + math.cos(math.pi * self.done / self.epochs)) / 2


class Step(Schedule):
    """All epochs; the learning rate falls by a factor every so many epochs.

    Args:
        lr: learning rate of the first epoch.
        every: epochs.
        factor: of the rate.
        best: see `Schedule`.
    """

    def __init__(self, lr: float, every: int, factor: float, best: bool = False) -> None:
        super().__init__(lr, best)
        self.every, self.factor = every, factor

    def share(self) -> float:
        """A power of the factor."""
        return self.factor ** (self.done // self.every)


class Falling(Fixed):
    """All epochs, and the last weights; the learning rate falls when the validation loss has not fallen for a while.

    Args:
        patience: epochs without a lower validation loss; the next one is too many.
        factor: by which the rate falls.
    Source: PyTorch's ReduceLROnPlateau without threshold, as Kayhan & van Gemert 2020 use it in section 4.2.
    """

    def __init__(self, patience: int, factor: float) -> None:
        self.patience, self.factor, self.waited, self.lowest = patience, factor, 0, float("inf")

    def goes_on(self, validated: Score, model: nn.Module, optimiser: Optimizer) -> bool:
        """Always, more slowly when patience is over."""
        self.waited += 1
        if validated.loss < self.lowest:
            self.lowest, self.waited = validated.loss, 0
        if self.waited > self.patience:
            self.waited = 0
            for group in optimiser.param_groups:
                group["lr"] *= self.factor
        return True


class Patience:
    """Ends when the validation loss has not fallen for more than so many epochs, with the weights of the lowest.

    Args:
        model: as it starts.
        patience: epochs.
    Source: released code of Kayhan & van Gemert 2020 (red_and_green.py).
    """

    def __init__(self, model: nn.Module, patience: int) -> None:
        self.patience, self.waited, self.lowest = patience, 0, float("inf")
        self.best = copy.deepcopy(model.state_dict())

    def goes_on(self, validated: Score, model: nn.Module, optimiser: Optimizer) -> bool:
        """Until patience is over."""
        self.waited += 1
        if validated.loss < self.lowest:
            self.lowest, self.best, self.waited = validated.loss, copy.deepcopy(model.state_dict()), 0
        return self.waited <= self.patience or self.exhausted(model, optimiser)

    def exhausted(self, model: nn.Module, optimiser: Optimizer) -> bool:
        """Whether to go on all the same when patience is over."""
        return False

    def settle(self, model: nn.Module) -> None:
        """The weights with the lowest validation loss."""
        model.load_state_dict(self.best)


class Plateau(Patience):
    """When patience is over the learning rate falls and the best weights come back, until the rate is low enough.

    Args:
        model: as it starts.
        patience: epochs without a lower validation loss; the next one is too many.
        factor: by which the rate falls.
        min_lr: training ends when the rate has fallen to it.
    Source: released code of Kayhan & van Gemert 2020 (QI_location.py).
    """

    def __init__(self, model: nn.Module, patience: int, factor: float, min_lr: float) -> None:
        super().__init__(model, patience)
        self.factor, self.min_lr = factor, min_lr

    def exhausted(self, model: nn.Module, optimiser: Optimizer) -> bool:
        """Lowers the rate."""
        self.settle(model)
        self.waited = 0
        for group in optimiser.param_groups:
            group["lr"] *= self.factor
        # 1e-3 x 0.1 x 0.1 x 0.1 is a rounding error above 1e-6, and has fallen to it all the same.
        return optimiser.param_groups[0]["lr"] > self.min_lr * (1 + 1e-9)
