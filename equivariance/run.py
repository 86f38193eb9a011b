"""The entry point: compose, validate, reuse or run, record.

    python -m equivariance.run arch=resnet18 border=64 conv=full
    python -m equivariance.run -m border=0,16,32,64,128,256,512 conv=same,full
    python -m equivariance.run -m +sweep=quadrant

The console script `equivariance` does the same and completes with the Tab key.
"""

from __future__ import annotations

import os
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from equivariance.config import Config, Data, scientific, validate
from equivariance.errors import UserError
from equivariance.overrides import check, conf_dir, register_protocol
from sweeps.identity import file_digest, identity
from sweeps.launcher import Job, launch
from sweeps.records import Record
from sweeps.tracking import Mirror


def prepare(config: Config) -> Job:
    """A validated config as a job: identified, nothing computed.

    Raises: UserError: a missing folder or file, or a folder of runs that cannot be written.
    """
    _check_writable(Path(config.runs))
    record = Record(Path(config.runs) / config.experiment.name / identity(scientific(config, fingerprints(config))))
    return Job(record, _label(config), lambda: compute(config, record), config.force)


def _check_writable(runs: Path) -> None:
    there = next(p for p in (runs.absolute(), *runs.absolute().parents) if p.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise UserError(f"runs={runs}: not a folder that can be written")


def fingerprints(config: Config) -> dict[str, str]:
    """What the config's paths hold, so that a moved folder is the same and a changed one is not.

    Raises: UserError: a missing folder or file.
    """
    found = {}
    if isinstance(config.data, Data) and config.data.name != "photos" and config.data.root:
        found["data.root"] = _folder_fingerprint(Path(config.data.root), 3 * config.data.pictures)
    if config.init.checkpoint:
        path = Path(config.init.checkpoint)
        if not path.is_file():
            raise UserError(f"init.checkpoint={path}: no such file")
        found["init.checkpoint"] = file_digest(path)
    return found


@lru_cache(8)
def _folder_fingerprint(root: Path, count: int) -> str:
    """Once for all runs of a sweep, which see one state of the folder."""
    from equivariance.data import folder_fingerprint

    return folder_fingerprint(root, count)


def compute(config: Config, record: Record) -> dict[str, Any]:
    """Runs the experiment and leaves its record; the result is written last."""
    from safetensors.torch import save

    from equivariance import experiments

    began = time.time()
    record.start(OmegaConf.to_yaml(config.model_dump()))
    result = experiments.run(config)
    record.keep("checkpoint.safetensors", save({k: v.contiguous() for k, v in result.weights.items()}))
    for name, content in result.files.items():
        record.keep(name, content)
    values = {
        "label": _label(config),
        "config": {**config.model_dump(exclude={"force", "runs", "tracking"}), "fingerprints": fingerprints(config)},
        "metrics": result.metrics,
        "notes": result.notes,
        "sweep": config.tracking.sweep,
        "commit": _commit(),
        "began": began,
        "ended": time.time(),
    }
    record.finish(result.history, values)
    return {"identity": record.identity, **values}


def sweep(composed: list[DictConfig], name: str) -> None:
    """Runs all the configs of a multirun, after all of them have been validated.

    Args:
        composed: the configs.
        name: under which MLflow groups them, where the config does not say.
    """
    configs = [_named(validate(_plain(c)), name) for c in composed]
    jobs = [prepare(config) for config in configs]
    tracking = configs[0].tracking
    outlook = lambda numbers: _outlook([configs[n] for n in numbers])  # noqa: E731
    launch(jobs, Mirror(tracking.uri), tracking.sweep, outlook)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _single(composed: DictConfig) -> None:
    try:
        jobs = [prepare(validate(_plain(composed)))]
    except (UserError, OmegaConfBaseException) as error:  # said here: Hydra would add a line of its own
        _refuse(error)
    launch(jobs, Mirror(composed.tracking.uri), composed.tracking.sweep)


def main() -> None:
    """The command line: exit code 0 when all went well, 1 when a run failed, 2 for the user's mistakes."""
    # Idle threads of torch then sleep instead of spinning: on cores that are shared, small operations else wait for
    # each other a hundred times longer than they compute.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Hydra then raises instead of printing its own traceback and ending with 1.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    register_protocol()
    try:
        check(sys.argv[1:])
        if any(a.startswith("+sweep=") for a in sys.argv[1:]) and not {"-m", "--multirun"} & set(sys.argv[1:]):
            raise UserError("+sweep=… is a grid of runs; add -m")
        _single()
    except (UserError, HydraException, OmegaConfBaseException) as error:
        _refuse(error)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _outlook(configs: list[Config]) -> tuple[int, float]:
    from equivariance import experiments

    return experiments.outlook(configs)


def _named(config: Config, sweep: str) -> Config:
    """The config with a sweep's name where it has none, so that its record knows what it belongs to."""
    tracking = config.tracking.model_copy(update={"sweep": config.tracking.sweep or sweep})
    return config.model_copy(update={"tracking": tracking})


def _plain(composed: DictConfig) -> dict[str, Any]:
    ours = OmegaConf.masked_copy(composed, [str(k) for k in composed if k != "hydra"])
    values = OmegaConf.to_container(ours, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    return {str(k): v for k, v in values.items()}


def _label(config: Config) -> str:
    if config.experiment.name != "quadrant":
        tap = getattr(config.experiment, "tap", f"seed={config.seed}")
        return f"{config.experiment.name} {config.protocol} {config.conv.name} {tap}"
    return f"{config.arch.name} {config.init.name} {config.conv.name} border={config.border} seed={config.seed}"


def _commit() -> str | None:
    """The commit of the code that ran, with a mark where the tree differs from it."""
    import subprocess

    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _refuse(error: Exception) -> NoReturn:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
