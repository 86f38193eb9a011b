"""Hydra's door for a config that has just been composed: it keeps a copy of it in files."""

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, OmegaConf, read_write

from sweeps.addresses import sealed


class Seal(Callback):
    """Takes the secrets out of a composed config before Hydra writes it to multirun.yaml or .hydra/."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before a run."""
        with read_write(config):
            _seal(config)

    on_multirun_start = on_run_start


def _seal(node: DictConfig | ListConfig) -> None:
    keys = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        value = node[key]
        if OmegaConf.is_config(value):
            _seal(value)
        elif sealed(value) != value:
            node[key] = sealed(value)
