"""Optuna's samplers and pruners by name, and the next trial, drawn so that a kill cannot change what comes."""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from sweeps.errors import UserError
from sweeps.study.space import Space, points

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Direction = Literal["maximize", "minimize"]
Choice = Mapping[str, Any]  # `name` of a class, and its arguments

# One seed decides their sequence for the whole study; the others get another seed for each trial.
SEQUENCES = ("GridSampler", "QMCSampler")
# They end when every point has been tried.
EXHAUSTIVE = ("GridSampler", "BruteForceSampler")
# It fixes some keys of another sampler's, which here any override does.
WRAPPER = "PartialFixedSampler"
# Arguments of these types cannot be written in a config; the search space is the study's own.
UNWRITABLE = re.compile("Callable|Mutation|Crossover|BaseSampler|FrozenTrial|ndarray|Mapping")
# Where a trial keeps how far the sequence of quasi-random points has come, and Optuna's name for it.
SEQUENCE, COUNTER = "sequence", "qmc:"


def sampler(choice: Choice, space: Space, trial: int = 0) -> BaseSampler:
    """The sampler for one trial.

    Made anew for each, with a seed of its own, it gives the same values whether or not the study was interrupted.

    Args:
        choice: name and arguments; `seed` is of the study, 0 where it is not given.
        space: of the study.
        trial: its number.
    Raises: UserError: an unknown name or argument, in one line.
    """
    from optuna import samplers

    name, seed = choice.get("name"), choice.get("seed", 0)
    if not isinstance(seed, int) or seed < 0:
        raise UserError(f"hydra.sweeper.sampler.seed={seed}: allowed: an integer from 0")
    listed = points(space) if name in EXHAUSTIVE else {}
    given: dict[str, Any] = {"search_space": listed} if name == "GridSampler" else {}
    own = seed if name in SEQUENCES else (seed * 1_000_003 + trial) % 2**32  # of other studies too
    return _named("sampler", samplers, {**choice, "seed": own}, given)


def pruner(choice: Choice) -> BasePruner:
    """The pruner; made anew for each look, so that it knows no more than the study.

    Raises: UserError: an unknown name or argument, in one line.
    """
    from optuna import pruners

    return _named("pruner", pruners, choice, {})


def size(choice: Choice, space: Space) -> float:
    """How many trials make sense: the number of points for a sampler that tries each once."""
    return math.prod(map(len, points(space).values())) if choice.get("name") in EXHAUSTIVE else math.inf


def draw(
    choice: Choice, space: Space, trials: Sequence[FrozenTrial], name: str, directions: list[Direction]
) -> FrozenTrial:
    """The next trial of a study.

    It is asked of a copy in memory, so that the storage gets it with all its values in one transaction, or not at all.

    Args:
        choice: of the sampler.
        space: what to draw.
        trials: all that the study has.
        name: of the study.
        directions: maximize or minimize, one an objective.
    """
    import optuna

    trials = [t for t in trials if t.state != optuna.trial.TrialState.WAITING]  # not ours
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(
        storage=storage, study_name=name, directions=directions, sampler=sampler(choice, space, len(trials))
    )
    study.add_trials(trials)
    number = storage.get_study_id_from_name(name)
    for key, value in next(
        (t.system_attrs[SEQUENCE] for t in reversed(trials) if SEQUENCE in t.system_attrs), {}
    ).items():
        storage.set_study_system_attr(number, key, value)
    study.ask(dict(space))
    drawn = study.get_trials(deepcopy=False)[-1]
    counters = {k: v for k, v in storage.get_study_system_attrs(number).items() if k.startswith(COUNTER)}
    return optuna.create_trial(
        state=drawn.state,
        params=drawn.params,
        distributions=drawn.distributions,
        system_attrs={**drawn.system_attrs, SEQUENCE: counters} if counters else drawn.system_attrs,
    )


def _named(group: str, module: ModuleType, choice: Choice, given: dict[str, Any]) -> Any:
    """An object of a class of Optuna's, its arguments checked against its signature."""
    kinds = {n: getattr(module, n) for n in module.__all__ if inspect.isclass(getattr(module, n))}
    kinds = {n: kinds[n] for n in sorted(kinds) if n != WRAPPER and not inspect.isabstract(kinds[n])}
    values = {**choice}
    name = values.pop("name", None)
    if name not in kinds:
        raise UserError(f"hydra.sweeper.{group}.name={name}: allowed: {', '.join(kinds)}")
    writable = {p.name for p in inspect.signature(kinds[name]).parameters.values() if not UNWRITABLE.search(f"{p}")}
    if "seed" not in writable:
        values.pop("seed", None)
    for key in values:
        if key not in writable:
            allowed = ", ".join(sorted(writable)) or "none"
            raise UserError(f"hydra.sweeper.{group}.{key}: no such key of {name}; allowed: {allowed}")
    values = {
        k: _named(group, module, v, {}) if isinstance(v, Mapping) and "name" in v else v for k, v in values.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class is experimental
        try:
            return kinds[name](**given, **values)
        except (TypeError, ValueError, ImportError) as error:
            raise UserError(f"hydra.sweeper.{group}={name}: {' '.join(str(error).split())}") from None
