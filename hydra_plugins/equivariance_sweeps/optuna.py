"""Hydra's door to studies: hydra/sweeper=optuna searches where the grid's sweeper walks."""

import sys
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.equivariance_sweeps.search import Search

if TYPE_CHECKING:
    from sweeps.mirroring import Mirroring
    from sweeps.study import Study


def _mapping(**values: str) -> DictConfig:
    """A setting that takes keys of any name without Hydra's `+`; the study says which are wrong."""
    return OmegaConf.create(values, flags={"struct": False})


@dataclass
class OptunaConf:
    """Settings of a study; their meaning is in `sweeps.study_settings.Settings`."""

    _target_: str = "hydra_plugins.equivariance_sweeps.optuna.OptunaSweeper"
    _recursive_: bool = False  # samplers and pruners are looked up among Optuna's by name, nothing else is imported
    study: str = ""  # empty: named after what is searched
    n_trials: int = 20  # in all, those of earlier commands included
    seeds: int = 1  # runs of each trial: seed, seed + 1, …
    objectives: Any = field(default_factory=_mapping)  # metric: maximize | minimize; none: accuracy: maximize
    storage: str = "${oc.env:OPTUNA_STORAGE,'sqlite:///optuna.db'}"  # any database that SQLAlchemy knows
    sampler: Any = field(default_factory=lambda: _mapping(name="TPESampler"))  # name and arguments
    pruner: Any = field(default_factory=lambda: _mapping(name="NopPruner"))  # name and arguments
    batch: int = 8  # trials at a time with the launcher of a cluster
    params: Any = field(default_factory=_mapping)  # as on the command line, which counts more


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaConf, provider="equivariance")


class OptunaSweeper(Sweeper):
    """Runs the trials that a study lacks.

    Args:
        settings: see `OptunaConf`.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = {k: OmegaConf.to_container(v) if OmegaConf.is_config(v) else v for k, v in settings.items()}
        self.params, self.batch = self.settings.pop("params"), self.settings.pop("batch")
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
        from equivariance.errors import UserError
        from sweeps.display import complain, say
        from sweeps.study_settings import Settings

        setup_globals()
        arguments = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        try:
            self._check()
            search = Search(self.loader, self.config, arguments)
            study = search.study(Settings(**self.settings))
        except ValueError as error:
            raise UserError(str(error)) from None
        code = 0
        try:
            self._drive(study, search)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except Exception as error:
            if not type(error).__module__.startswith(("optuna.", "sqlalchemy.")):
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            complain(f"error: the study's storage is lost ({reason}); the same command goes on from here")
            sys.exit(1)
        for line in study.summary():
            say(line)
        if code or study.failed:
            sys.exit(code or 1)

    @property
    def _ours(self) -> bool:
        """By what it can do: Hydra executes modules of plugins again, so that a class may have a twin."""
        return hasattr(self.launcher, "machine")

    def _check(self) -> None:
        if self._ours:
            self.launcher.limits()
        if not (self._ours and self.launcher.hears_rows) and self.settings["pruner"].get("name") != "NopPruner":
            raise ValueError("hydra.sweeper.pruner: only hydra/launcher=local hears of a run before its end")
        if self.batch < 1:
            raise ValueError(f"hydra.sweeper.batch={self.batch}: allowed: 1 or more")

    def _drive(self, study: "Study", search: Search) -> None:
        from equivariance.run import mirror
        from sweeps.launcher import launch

        told = mirror(search.first)
        if not self._ours:
            self._drive_in_batches(study, search, told)
            return
        plan = "study {}: {} runs to do on {}".format
        name = study.settings.study
        place, limits = self.launcher.machine(search.first), self.launcher.limits()
        launch(study, place, limits, told, lambda pool: plan(name, study.total, pool))

    def _drive_in_batches(self, study: "Study", search: Search, told: "Mirroring") -> None:
        """With a launcher that returns when all runs of a list have ended; what they gave is in their records."""
        from sweeps.source import Outcome
        from sweeps.tally import Tally

        tally, count = Tally(study.total), 0
        while jobs := list(islice(iter(study.next, None), self.batch)):
            found = {job.record.path: job.record.result() for job in jobs}
            new = [job for job in jobs if job.force or not found[job.record.path]]
            reason = self._launched([search.typed(job) for job in new], count) if new else ""
            count += len(new)
            for job in jobs:
                result = job.record.result()
                if result is None:
                    outcome = Outcome("failed", reason=reason or "it left no result")
                elif job in new:
                    outcome = Outcome("done", result, seconds=result["ended"] - result["began"])
                else:
                    outcome = Outcome("reused", result)
                tally.add(job, outcome)
                told.ended(job.record, outcome)
                study.ended(job, outcome)
        told.close()
        tally.sum_up()
        if tally.code:
            sys.exit(tally.code)

    def _launched(self, overrides: list[list[str]], first: int) -> str:
        """Has runs computed; returns why, if the launcher gave up."""
        try:
            self.launcher.launch(overrides, initial_job_idx=first)
        except Exception as error:  # whatever a launcher or its cluster may raise; each run's record says how it ended
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return ""
