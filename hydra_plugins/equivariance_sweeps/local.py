"""Hydra's door to our launcher: all runs of a multirun are composed and validated before the first one starts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from equivariance.config import Config
    from sweeps.launcher.place import Place
    from sweeps.launcher.pool import Limits


def composed(loader: ConfigLoader, master: DictConfig, job_overrides: Sequence[Sequence[str]]) -> list[DictConfig]:
    """The configs of all jobs, without Hydra's own section.

    Composing takes tens of milliseconds, so it is done once for each choice of config groups; plain values are laid
    over a copy.

    Raises: UserError: a sweep file is an axis, of which the runs would have nothing but its fixed values.
    """
    from equivariance.errors import UserError

    chosen = master.hydra.runtime.choices.get("sweep")
    parser, bases, configs = OverridesParser.create(), {}, []
    is_group = lru_cache(None)(lambda key: bool(loader.get_group_options(key)))
    for overrides in job_overrides:
        parsed = parser.parse_overrides(list(overrides))
        for o in parsed:
            if o.key_or_group == "sweep" and o.package is None and o.value() != chosen:
                raise UserError(f"{o.input_line}: allowed: one sweep file at a time, not as an axis")
        values, others = parted(parsed, is_group)
        groups = tuple(o.input_line for o in others)
        if groups not in bases:
            base = loader.load_sweep_config(master, list(groups))
            bases[groups] = OmegaConf.masked_copy(base, [str(key) for key in base if key != "hydra"])
        configs.append(laid(bases[groups], values))
    return configs


def parted(overrides: Iterable[Override], is_group: Callable[[str], bool]) -> tuple[list[Override], list[Override]]:
    """Plain values, which Hydra lays over the composed tree last, and all other overrides.

    Hydra goes from left to right: a value that stands before a key that is added or removed is left to it.
    """
    every = list(overrides)
    plain = [o.type == OverrideType.CHANGE and o.package is None and not is_group(o.key_or_group) for o in every]
    keys = (n for n, o in enumerate(every) if not plain[n] and not is_group(o.key_or_group))
    last = max(keys, default=-1)
    values = [o for n, o in enumerate(every) if plain[n] and n > last]
    return values, [o for n, o in enumerate(every) if not (plain[n] and n > last)]


def laid(base: DictConfig, values: Iterable[Override]) -> DictConfig:
    """A copy of a composed config with plain values laid over it."""
    config = base.copy()
    for o in values:
        OmegaConf.update(config, o.key_or_group, o.value())
    return config


@dataclass
class LocalConf:
    """Settings of the local launcher; their meaning is in `sweeps.launcher.pool.Limits`."""

    _target_: str = "hydra_plugins.equivariance_sweeps.local.LocalLauncher"
    workers: int | None = None  # at once; null: one a GPU slot, or one a core where there is no GPU
    slots_per_gpu: int = 1  # workers that share a GPU
    retries: int = 1  # further attempts at a run that failed
    timeout: float | None = None  # seconds that an attempt may take


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalConf, provider="equivariance")


class LocalLauncher(Launcher):
    """Runs a sweep on this machine.

    Args:
        settings: see `LocalConf`.
    """

    # Whether it learns of a run's epochs before the run's end, so that a study can prune.
    hears_rows = True

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what composing needs."""
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Composes all jobs and hands them to the sweep.

        Raises: SystemExit: some run failed. UserError: a value that is not allowed.
        """
        from equivariance.run import sweep

        setup_globals()
        configs = composed(self.hydra_context.config_loader, self.config, job_overrides)
        sweep(configs, sweep_name(self.config), self.limits(), self.machine)
        return [JobReturn(overrides=list(o), status=JobStatus.COMPLETED) for o in job_overrides]

    def machine(self, config: "Config") -> "Place":
        """Where runs are computed, by the config of one of them."""
        from equivariance.run import machine

        return machine(config)

    def limits(self) -> "Limits":
        """The settings, checked.

        Raises: UserError: a value out of range.
        """
        from equivariance.errors import UserError
        from sweeps.launcher.pool import Limits

        for key, least in (("workers", 1), ("slots_per_gpu", 1), ("retries", 0), ("timeout", 1e-3)):
            value = self.settings[key]
            if value is not None and not (isinstance(value, int | float) and value >= least):
                raise UserError(f"hydra.launcher.{key}={value}: allowed: {least:g} or more")
        return Limits(**self.settings)


def sweep_name(config: DictConfig) -> str:
    """What a sweep without a name is called: its overrides as typed; a variable in one may hold a secret."""
    return " ".join(map(str, OmegaConf.to_container(config.hydra.overrides.task, resolve=False)))
