"""Finished runs without computing: records as a run leaves them."""

from pathlib import Path

from sweeps.identity import identity
from sweeps.records import Record

CONFIG = {
    "protocol": "paper",
    "experiment": {"name": "quadrant", "picture": 56},
    "arch": {"library": "torchvision", "name": "resnet18", "mean": [0.5, 0.5, 0.5]},
    "init": {"name": "frozen-random", "checkpoint": None},
    "conv": {"name": "same"},
    "data": {"name": "photos", "root": None, "pictures": 32},
    "optim": {"name": "probe", "l2": 1e-3},
    "border": 0,
    "seed": 0,
    "device": "cpu",
}


# A result that says nothing.
BLANK = {"config": {}, "metrics": {}, "notes": {}, "label": "", "began": 0.0, "ended": 0.0}


def finished_run(runs: Path, accuracy: float = 0.75, sweep: str | None = None, **changes) -> tuple[Record, dict]:
    """A record with a result, and the result; `changes` are of the config, names of sections for their `name`."""
    config = {key: dict(value) if isinstance(value, dict) else value for key, value in CONFIG.items()}
    for key, value in changes.items():
        section, _, part = key.partition("__")
        if part:
            config[section][part] = value
        elif isinstance(config[section], dict):
            config[section]["name"] = value
        else:
            config[section] = value
    record = Record(runs / "quadrant" / identity(config))
    record.start("border: 0\n")
    history = [{"epoch": float(e), "lr": 1e-3, "train_loss": 1 / e, "validation_loss": 2 / e} for e in (1, 2, 3)]
    values = {
        "label": f"{config['arch']['name']} border={config['border']} seed={config['seed']}",
        "config": config,
        "metrics": {"accuracy": accuracy, "loss": 0.5, "margin": 0.1, "n": 64.0},
        "notes": {"device": "cpu"},
        "sweep": sweep,
        "commit": "abc",
        "began": 1_700_000_000.0,
        "ended": 1_700_000_060.0,
    }
    record.finish(history, values)
    return record, {"identity": record.identity, **values}


def finished_config(runs: Path, config, fingerprints: dict[str, str] | None = None, **changes) -> Record:
    """A record with a result, named and described as a run of a validated config leaves it.

    Args:
        runs: folder of the run directories.
        config: validated.
        fingerprints: of its paths.
        changes: of what the identity is made of.
    """
    from equivariance.config import scientific

    decides = {**scientific(config, fingerprints or {}), **changes}
    record = Record(runs / config.experiment.name / identity(decides))
    times = {"began": 1_700_000_000.0, "ended": 1_700_000_060.0}
    values = {"label": "a run", "config": {**config.model_dump(exclude={"force", "runs", "tracking"}), **decides}}
    record.start("")
    record.finish([], {**values, "metrics": {"accuracy": 0.5, "n": 2.0}, "notes": {}, "sweep": None, **times})
    return record
