"""Hydra's door to studies: hydra/sweeper=optuna searches where the grid's sweeper walks."""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.equivariance_sweeps.search import Search
from sweeps.errors import UserError

if TYPE_CHECKING:
    from sweeps.study.study import Study


def _mapping(**values: str) -> DictConfig:
    """A setting that takes keys of any name without Hydra's `+`; the study says which are wrong."""
    return OmegaConf.create(values, flags={"struct": False})


@dataclass
class OptunaConf:
    """Settings of a study; their meaning is in `sweeps.study.settings.Settings`."""

    _target_: str = "hydra_plugins.equivariance_sweeps.optuna.OptunaSweeper"
    _recursive_: bool = False  # samplers and pruners are looked up among Optuna's by name, nothing else is imported
    study: str = ""  # empty: named after what is searched
    n_trials: int = 20  # in all, those of earlier commands included
    seeds: int = 1  # runs of each trial: seed, seed + 1, …
    objectives: Any = field(default_factory=_mapping)  # metric: maximize | minimize; none: the first
    storage: str = "${oc.env:OPTUNA_STORAGE,'sqlite:///optuna.db'}"  # any database that SQLAlchemy knows
    sampler: Any = field(default_factory=lambda: _mapping(name="TPESampler"))  # name and arguments
    pruner: Any = field(default_factory=lambda: _mapping(name="NopPruner"))  # name and arguments
    params: Any = field(default_factory=_mapping)  # as on the command line, which counts more


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaConf, provider="equivariance")


class OptunaSweeper(Sweeper):
    """Runs the trials that a study lacks.

    Args:
        settings: see `OptunaConf`.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = {k: OmegaConf.to_container(v) if OmegaConf.is_config(v) else v for k, v in settings.items()}
        self.params = self.settings.pop("params")
        for key in ("sampler", "pruner"):
            if not isinstance(self.settings[key], dict):  # its name alone
                self.settings[key] = {"name": self.settings[key]}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what composing needs."""
        self.loader, self.config = hydra_context.config_loader, config
        self.launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Runs the study to its total of trials.

        Raises: UserError: something that is not allowed. SystemExit: a trial failed, or the storage was lost.
        """
        from sweeps.study.settings import Settings
        from sweeps.study.store import failures
        from sweeps.terminal import complain, say

        setup_globals()
        arguments = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        self._check()
        search = Search(self.loader, self.config, arguments)
        self.settings["objectives"] = self.settings["objectives"] or self._aim()
        study = search.study(Settings(**self.settings))
        code = 0
        try:
            self._drive(study, search)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except failures() as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            complain(f"error: the study's storage is lost ({reason}); the same command goes on from here")
            sys.exit(1)
        for line in study.summary():
            say(line)
        if code or study.failed:
            sys.exit(code or 1)

    def _aim(self) -> dict[str, str]:
        """What a study without objectives looks for: the most of its experiment's first metric."""
        from sweeps.experiments import EXPERIMENTS

        name = self.config.experiment.name
        metrics = EXPERIMENTS.get(name).metrics if name in EXPERIMENTS.names() else ()
        if not metrics:
            raise UserError(
                f"hydra.sweeper.objectives: {name} names no metric; allowed: {{METRIC: maximize | minimize}}"
            )
        return {metrics[0]: "maximize"}

    def _check(self) -> None:
        # By what it can do: Hydra executes modules of plugins again, so that a class may have a twin.
        if not hasattr(self.launcher, "machine"):
            name = self.config.hydra.runtime.choices["hydra/launcher"]
            raise UserError(f"hydra/launcher={name}: a study needs one of local, submitit_slurm, submitit_local, ray")
        self.launcher.limits()
        if not self.launcher.hears_rows and self.settings["pruner"].get("name") != "NopPruner":
            raise UserError("hydra.sweeper.pruner: only hydra/launcher=local hears of a run before its end")

    def _drive(self, study: "Study", search: Search) -> None:
        from equivariance.run import mirror
        from sweeps.launcher.launch import launch

        plan = "study {}: {} runs to do on {}".format
        name = study.settings.study
        place, limits = self.launcher.machine(search.first), self.launcher.limits()
        launch(study, place, limits, mirror(search.first), lambda pool: plan(name, study.total, pool))
