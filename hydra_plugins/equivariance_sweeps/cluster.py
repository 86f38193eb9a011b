"""Hydra's door to clusters: all is as on this machine, but for where the runs are computed."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from hydra_plugins.equivariance_sweeps.local import LocalLauncher

if TYPE_CHECKING:
    from equivariance.config import Config
    from sweeps.cluster.cluster import Cluster
    from sweeps.launcher.pool import Machine


class ClusterLauncher(LocalLauncher):
    """Runs a sweep on a cluster.

    Args:
        workers: runs that the cluster holds at once.
        retries: further attempts at a run that failed.
        timeout: seconds that an attempt may take.
        options: of the kind of cluster; see its file in conf/hydra/launcher/.
    """

    hears_rows = False

    def __init__(self, workers: Any, retries: Any, timeout: Any, **options: Any) -> None:
        super().__init__(workers=workers, slots_per_gpu=1, retries=retries, timeout=timeout)
        self.options = {k: OmegaConf.to_container(v) if OmegaConf.is_config(v) else v for k, v in options.items()}

    def machine(self, config: "Config") -> "Cluster":
        """The cluster, by the config of one of the runs."""
        return self.cluster(super().machine(config), Path(config.runs))

    @abstractmethod
    def cluster(self, machine: "Machine", runs: Path) -> "Cluster":
        """What computes the runs.

        Args:
            machine: what has to be set where a run is computed.
            runs: folder of the run directories.
        """


class SubmititLauncher(ClusterLauncher):
    """Jobs of SLURM, or processes of this machine as if they were: conf/hydra/launcher/submitit_*.yaml."""

    def cluster(self, machine: "Machine", runs: Path) -> "Cluster":
        """Jobs with the launcher's settings as options."""
        from sweeps.cluster.submitit import Submitit

        options = dict(self.options)
        return Submitit(machine, options.pop("kind"), runs / ".submitit", options)


class RayLauncher(ClusterLauncher):
    """Tasks of Ray: conf/hydra/launcher/ray.yaml."""

    def cluster(self, machine: "Machine", runs: Path) -> "Cluster":
        """Tasks with the launcher's settings as arguments of Ray."""
        from sweeps.cluster.ray import Ray

        return Ray(machine, **self.options["ray"])
