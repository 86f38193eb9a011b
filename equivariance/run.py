"""The entry point: compose, validate, reuse or run, record.

    python -m equivariance.run arch=resnet18 border=64 conv=full
    python -m equivariance.run -m border=0,16,32,64,128,256,512 conv=same,full
    python -m equivariance.run -m +sweep=quadrant

The console script `equivariance` does the same and completes with the Tab key.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from equivariance.command import read
from equivariance.config import Run, validate
from equivariance.errors import UserError
from equivariance.job import MACHINE, NO_GPU, costs, follow, prepare
from equivariance.overrides import conf_dir, register_protocol
from equivariance.parallel import check, count, dismiss, rank
from sweeps.addresses import guard, sealed
from sweeps.cluster.cluster import Refused
from sweeps.launcher.attempt import attempt
from sweeps.launcher.launch import launch
from sweeps.launcher.mirroring import Mirroring
from sweeps.launcher.place import Place, Slots
from sweeps.launcher.pool import Limits, Machine
from sweeps.launcher.single import run_here
from sweeps.launcher.source import Grid, Job
from sweeps.launcher.worker import Died
from sweeps.terminal import clock
from sweeps.tracking.mirror import Mirror

# Seconds that measuring what a sweep will take may cost.
ESTIMATE = 120.0


def sweep(composed: list[DictConfig], name: str, limits: Limits, machine: Callable[[Run], Place]) -> None:
    """Runs all the configs of a multirun, after all of them have been validated.

    Args:
        composed: the configs.
        name: under which MLflow groups them, where the config does not say.
        limits: workers, retries and timeout.
        machine: where a sweep with such a config is computed.
    """
    configs = [sweep_config(c, name) for c in composed]
    jobs = [prepare(config) for config in configs]
    launch(Grid(jobs), machine(configs[0]), limits, mirror(configs[0]), partial(_plan, configs, jobs))


def sweep_config(composed: DictConfig, name: str | None = None) -> Run:
    """A composed config of a sweep, checked and with the sweep's name, so that its record knows what it belongs to.

    Raises: UserError: it is not valid, or it names a GPU, which workers are given by the launcher.
    """
    config = validate(_plain(composed))
    if config.device.startswith("cuda:"):
        raise UserError(
            f"device={config.device}: a sweep leases GPUs to its workers; allowed: auto, cpu, cuda;"
            " choose GPUs by the variable CUDA_VISIBLE_DEVICES"
        )
    tracking = config.tracking.model_copy(update={"sweep": config.tracking.sweep or name})
    return config.model_copy(update={"tracking": tracking})


def machine(config: Run) -> Machine:
    """What workers of a sweep import and ask; without a GPU where the config wants none."""
    return NO_GPU if config.device == "cpu" else MACHINE


def mirror(config: Run) -> Mirroring:
    """Where a sweep's runs are shown."""
    command = f"python -m equivariance.run {shlex.join(sys.argv[1:])}"
    return Mirroring(Mirror(config.tracking.uri, command), config.tracking.sweep)


def _plan(configs: list[Run], jobs: list[Job], pool: Slots) -> str:
    """The line before the first run: what is done, certified and to do, and about how long it takes."""
    to_do = [c for c, job in zip(configs, jobs, strict=True) if job.force or job.record.result() is None]
    done = len(jobs) - len(to_do)
    worker = pool.idle()
    try:
        certified, seconds = worker.call(costs, to_do, within=ESTIMATE)
    except (Died, RuntimeError) as error:  # the runs will say what is wrong with them
        if isinstance(error, Died):
            pool.replace(worker)
        return f"{len(jobs)} runs: {done} done, {len(to_do)} to do on {pool}; their time is not known ({error})"
    rest = len(to_do) - certified
    time = f", {clock(seconds / min(len(pool), max(rest, 1)))} at most" if seconds else ""
    return f"{len(jobs)} runs: {done} done, {certified} certified, {rest} to do{time} on {pool}"


def _foreign_job(composed: DictConfig) -> None:
    """One run for a launcher that is not ours; `python -m sweeps sync` mirrors it.

    Raises: RuntimeError: it failed.
    """
    outcome = attempt(prepare(sweep_config(composed)), lambda row: None)
    if outcome.status == "failed":
        raise RuntimeError(outcome.reason)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _single(composed: DictConfig) -> None:
    register_protocol()  # a cluster's job is another process than the one that read the command line
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        _foreign_job(composed)
        return
    try:
        config = validate(_plain(composed))
        check(config)
        job = prepare(config)
    except (UserError, OmegaConfBaseException) as error:  # said here: Hydra would add a line of its own
        _refuse(error)
    if rank():
        follow(config, job.record)
        return
    run_here(job, mirror(config))
    dismiss()


def main() -> None:
    """The command line: exit code 0 when all went well, 1 when a run failed, 2 for the user's mistakes."""
    # Idle threads of torch then sleep instead of spinning: on cores that are shared, small operations else wait for
    # each other a hundred times longer than they compute.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Hydra then raises instead of printing its own traceback and ending with 1, whatever the shell has set.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    guard()
    register_protocol()
    try:
        sys.argv[1:] = read(sys.argv[1:])
        if count() > 1 and {"-m", "--multirun"} & set(sys.argv):
            raise UserError("-m: allowed without torchrun; a sweep starts a run on each GPU itself")
        _single()
    except (UserError, Refused, HydraException, OmegaConfBaseException) as error:
        _refuse(error)
    except OSError as error:  # of a folder that Hydra could not make, say
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else 2)
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        if not _hydras(error):
            raise
        _refuse(error)
    except KeyboardInterrupt as stop:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(getattr(stop, "code", 130))


def _plain(composed: DictConfig) -> dict[str, Any]:
    ours = OmegaConf.masked_copy(composed, [str(k) for k in composed if k != "hydra"])
    values = OmegaConf.to_container(ours, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    return {str(k): sealed(v) for k, v in values.items()}


def _hydras(error: Exception) -> bool:
    """Whether Hydra raised it over the command line, and nothing of ours that it called."""
    frames = list(traceback.walk_tb(error.__traceback__))[1:]  # without main
    packages = [frame.f_globals["__name__"].partition(".")[0] for frame, _ in frames]
    return "hydra" in packages and not {"equivariance", "sweeps"} & set(packages) and packages[-1] != "hydra_plugins"


def _group(key: str) -> str:
    """The choice that decides whether there is such a key."""
    section = key.partition(".")[0]
    return "experiment" if section == key else section


def _refuse(error: Exception) -> NoReturn:
    alien = re.match(r"Could not override '([\w.]+)'", str(error))
    if alien:
        error = UserError(f"{alien[1]}: this run has no such key; allowed with another {_group(alien[1])}")
    cause = str(error.__cause__ or "").split("\n")[0] if isinstance(error, HydraException) else ""
    print(f"error: {' '.join(f'{error} {cause}'.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
