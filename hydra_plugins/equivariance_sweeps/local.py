"""Hydra's door to our launcher: all runs of a multirun are composed and validated before the first one starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class LocalConf:
    """Settings of the local launcher: none yet."""

    _target_: str = "hydra_plugins.equivariance_sweeps.local.LocalLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalConf, provider="equivariance")


class LocalLauncher(Launcher):
    """Runs a sweep on this machine."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what composing needs."""
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Composes all jobs and hands them to the sweep.

        Raises: SystemExit: some run failed.
        """
        from equivariance.run import sweep

        setup_globals()
        loader = self.hydra_context.config_loader
        sweep([loader.load_sweep_config(self.config, list(overrides)) for overrides in job_overrides])
        return [JobReturn(overrides=list(o), status=JobStatus.COMPLETED) for o in job_overrides]
