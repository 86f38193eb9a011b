"""What is asked of a study, refused in one line where it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sweeps.addresses import seal
from sweeps.errors import UserError
from sweeps.study import sampling
from sweeps.study.sampling import Choice, Direction
from sweeps.study.space import Space


@dataclass(frozen=True)
class Settings:
    """What is asked of a study.

    Args:
        study: its name; empty: it has none yet.
        n_trials: in all, those of earlier commands included.
        seeds: runs of each trial; its objective is their mean.
        objectives: maps metrics of a result to maximize or minimize; empty: not said.
        storage: URL of the database; a relative SQLite file lies in the working folder.
        sampler: name and arguments of one of Optuna's.
        pruner: name and arguments of one of Optuna's.
    Raises: UserError: a value that is not allowed, in one line.
    """

    study: str = ""
    n_trials: int = 20
    seeds: int = 1
    objectives: dict[str, Direction] = field(default_factory=dict)
    storage: str = "sqlite:///optuna.db"
    sampler: Choice = field(default_factory=lambda: {"name": "TPESampler"})
    pruner: Choice = field(default_factory=lambda: {"name": "NopPruner"})

    def __post_init__(self) -> None:
        for key in ("storage", "study"):  # a name may be made of an address, too
            object.__setattr__(self, key, seal(getattr(self, key)))
        for key in ("n_trials", "seeds"):
            if getattr(self, key) < 1:
                raise UserError(f"hydra.sweeper.{key}={getattr(self, key)}: allowed: 1 or more")
        if len(self.study) > 200 or not self.study.isprintable():
            raise UserError("hydra.sweeper.study: allowed: at most 200 printable characters")
        if not isinstance(self.objectives, dict):
            raise UserError(f"hydra.sweeper.objectives={self.objectives}: allowed: {{METRIC: maximize | minimize, …}}")
        for metric, direction in self.objectives.items():
            if direction not in ("maximize", "minimize"):
                raise UserError(f"hydra.sweeper.objectives.{metric}={direction}: allowed: maximize | minimize")
        sampling.pruner(self.pruner)
        if self.prunes and len(self.objectives) > 1:
            raise UserError(
                f"hydra.sweeper.pruner={self.pruner['name']}: allowed with one objective: only NopPruner with several"
            )

    @property
    def prunes(self) -> bool:
        """Whether runs may be ended early."""
        return self.pruner["name"] != "NopPruner"

    @property
    def directions(self) -> list[Direction]:
        """One an objective."""
        return list(self.objectives.values())


def rehearse(settings: Settings, space: Space) -> None:
    """Draws a few trials without keeping them, so that a sampler that cannot search this space is refused at once.

    Raises: UserError: it cannot, in one line.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials: list[Any] = []
    try:
        for n in range(min(3, settings.n_trials)):
            drawn = sampling.draw(settings.sampler, space, trials, settings.study, settings.directions)
            drawn.state, drawn.values = optuna.trial.TrialState.COMPLETE, [float(n)] * len(settings.directions)
            drawn.datetime_complete = drawn.datetime_start
            trials.append(drawn)
    except Exception as error:  # of a sampler with settings that it or its library cannot take, in every way there is
        line = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            line if line.startswith("hydra.") else f"hydra.sweeper.sampler={settings.sampler['name']}: {line}"
        ) from error
