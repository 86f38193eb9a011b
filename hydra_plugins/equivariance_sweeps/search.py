"""What a study searches, composed and validated before its first run."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.equivariance_sweeps.local import composed
from sweeps.errors import UserError

if TYPE_CHECKING:
    from sweeps.launcher.source import Job
    from sweeps.study.settings import Settings
    from sweeps.study.study import Study

# Epochs reckoned for a run whose recipe has no limit of them.
EPOCHS = 1000


class Search:
    """The configs of a study; edits to conf/ while it runs reach none of them.

    Args:
        loader: composes.
        master: the config of the command.
        arguments: overrides, those that are searched among them.
    Raises: UserError: an override or a value that is not allowed, in one line.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> None:
        from equivariance.run import sweep_config
        from sweeps.study.space import corners, overrides, parse, points

        self.space, fixed = parse(arguments, loader)
        self._name = ""
        self._groups = [key for key in self.space if loader.get_group_options(key.lstrip("+"))]
        options = points({key: self.space[key] for key in self._groups})
        choices = [dict(zip(options, choice, strict=True)) for choice in product(*options.values())]
        ends = corners(self.space)
        firsts = [overrides({**ends[0], **choice}) for choice in choices]
        bases = composed(loader, master, [[*fixed, *first] for first in firsts])
        self._bases = {tuple(map(str, choice.values())): base for choice, base in zip(choices, bases, strict=True)}
        self._samples = [*firsts, *map(overrides, ends)]  # every combination of options, each end of every range
        self._configs = [sweep_config(self._config(sample)) for sample in self._samples]

    def study(self, settings: "Settings") -> "Study":
        """The study, opened; one without a name is named after what it searches.

        Raises: UserError: something that is not allowed, in one line.
        """
        from equivariance.config import scientific
        from equivariance.job import fingerprints
        from equivariance.run import sweep_config
        from sweeps.identity import flat, identity
        from sweeps.study.store import search
        from sweeps.study.study import Study

        values = [flat(scientific(config, fingerprints(config))) for config in self._configs]
        fixed = {k: v for k, v in values[0].items() if all(k in others and others[k] == v for others in values)}
        if settings.seeds > 1 and "seed" not in fixed:
            raise UserError(f"hydra.sweeper.seeds={settings.seeds}: allowed: 1 where seed itself is searched")
        if not settings.study:
            stem = self._configs[0].tracking.sweep or "-".join(key.rpartition(".")[2] for key in self.space)
            found = identity(search(settings, self.space, fixed))
            settings = replace(settings, study=f"{stem[:150]}-{found[:8]}")
        self._name = settings.study
        self.job(self._samples[0], settings.seeds - 1)
        self.first = sweep_config(self._config(self._samples[0]), self._name)
        epochs = max((c.optim.epochs for c in self._configs if hasattr(c.optim, "epochs")), default=EPOCHS)
        return Study(settings, self.space, fixed, Path(self.first.runs), self.job, epochs)

    def job(self, drawn: list[str], seed: int) -> "Job":
        """A run of a trial, from the overrides that were drawn and the number of its seed.

        Raises: UserError: values that do not go together.
        """
        from equivariance.job import prepare
        from equivariance.run import sweep_config

        try:
            return prepare(sweep_config(self._config(drawn, seed), self._name))
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(str(error)) from error

    def _config(self, drawn: Sequence[str], seed: int = 0) -> DictConfig:
        texts = dict(line.split("=", 1) for line in drawn)
        config = self._bases[tuple(texts[key] for key in self._groups)].copy()
        plain = [f"{key.lstrip('+')}={text}" for key, text in texts.items() if key not in self._groups]
        for override in OverridesParser.create().parse_overrides(plain):
            OmegaConf.update(config, override.key_or_group, override.value())
        config.seed += seed
        return config
