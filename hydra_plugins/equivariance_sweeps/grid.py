"""Hydra's own grid sweeper without its check of every combination, which composes each run a second time.

The launcher composes and validates all runs before the first one starts; at a quarter of a second each the check would
cost more than everything else beside the runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


@dataclass
class GridConf:
    """Settings of the grid, as in Hydra's basic sweeper."""

    _target_: str = "hydra_plugins.equivariance_sweeps.grid.GridSweeper"
    max_batch_size: int | None = None  # null: the launcher bounds how many run at once
    params: dict[str, Any] | None = field(default_factory=dict)  # axes of a sweep file


# In the place of Hydra's own, so that +sweep=… and -m need not name it.
ConfigStore.instance().store(group="hydra/sweeper", name="basic", node=GridConf, provider="equivariance")


class GridSweeper(BasicSweeper):
    """Every combination of the axes, handed to the launcher at once, which checks all of them before the first."""

    def sweep(self, arguments: list[str]) -> Any:
        """Runs the grid.

        Raises: UserError: an axis without values, or a batch size, with which the last runs would be checked after the
            first ones had run.
        """
        from equivariance.errors import UserError
        from sweeps.grammar import parse, runs

        if self.max_batch_size is not None:
            raise UserError(
                f"hydra.sweeper.max_batch_size={self.max_batch_size}: allowed: null; see hydra.launcher.workers"
            )
        assert self.hydra_context is not None
        loader = self.hydra_context.config_loader
        runs([parse(text, loader) for text in (*self._parse_config(), *arguments)])
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Left to the launcher."""
