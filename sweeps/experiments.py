"""What the platform knows of an experiment: the object that each one registers, and asks nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sweeps.registry import Registry, resolved


def _label(config: Any) -> str:
    sections = (getattr(getattr(config, key, None), "name", None) for key in ("experiment", "arch", "init", "conv"))
    numbers = (f"{key}={getattr(config, key)}" for key in ("border", "seed") if hasattr(config, key))
    return " ".join([*filter(None, sections), *numbers])


def _headline(result: dict[str, Any]) -> str:
    some = list(result["metrics"].items())[:3]
    said = [f"{name} {value:g}" if isinstance(value, int | float) else f"{name} {value}" for name, value in some]
    return ", ".join(said) or "no metrics"


@dataclass(frozen=True)
class Experiment:
    """An experiment: what a run of it is, computes and is called, and what its runs amount to.

    What is heavy to import may be a text `module:name`, resolved when it is needed.

    Args:
        name: in the config, of the folder of its runs, and of its table.
        schema: the `equivariance.config.Run` of its runs.
        run: computes one, `run(config, device, report) -> Result`.
        label: of a run, in a few words, from its config.
        headline: what a finished run gave, in a few words, from its result.
        outlook: of runs to come, `outlook(configs, device) -> (certified, seconds)`: how many need no computing, and
            how long the others take one after another; None: not known.
        metrics: those worth a column where people compare runs, the most telling one first.
        artefact: a module or object with a table and a figure (sweeps/artefacts.py); None: the general one.
    """

    name: str
    schema: Any
    run: Any
    label: Callable[[Any], str] = _label
    headline: Callable[[dict[str, Any]], str] = _headline
    outlook: Any = None
    metrics: tuple[str, ...] = ()
    artefact: Any = None


EXPERIMENTS: Registry[Experiment] = Registry("equivariance.experiments")


def register(experiment: Experiment) -> Experiment:
    """Makes an experiment known by its name."""
    return EXPERIMENTS.add(experiment.name, experiment)


def schema(name: str) -> Any:
    """The schema of an experiment's runs."""
    return resolved(EXPERIMENTS.get(name).schema)


def label(config: Any) -> str:
    """A run in a few words, even where its experiment's own words fail.

    Args:
        config: the run.
    """
    try:
        return EXPERIMENTS.get(config.experiment.name).label(config)
    except Exception:  # other people's code; no sweep ends because of a name
        return _label(config)


def headline(experiment: str, result: dict[str, Any]) -> str:
    """What a finished run gave, in a few words, whichever metrics it has.

    Args:
        experiment: its name; of one that is not registered here, too.
        result: as in result.json.
    """
    try:
        return EXPERIMENTS.get(experiment).headline(result)
    except Exception:  # another version's result, or another's experiment, whose code may fail in any way
        return _headline(result)
