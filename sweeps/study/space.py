"""The search space of a study in Hydra's override syntax: a,b or choice, range, interval, tag(log,interval)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweeps import grammar
from sweeps.errors import UserError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution

Space = dict[str, "BaseDistribution"]


def parse(arguments: Sequence[str], loader: ConfigLoader | None = None) -> tuple[Space, list[str]]:
    """Splits overrides into what is searched and what is fixed.

    Args:
        arguments: overrides; a later one of a key takes the place of an earlier one.
        loader: knows the options of config groups, for `glob`.
    Returns: The distribution of each searched key, and the other overrides as they are.
    Raises: UserError: nothing is searched, or a sweep that no study can draw from.
    """
    latest: dict[str, Override] = {}
    for override in (grammar.parse(text, loader) for text in arguments):
        key = override.get_key_element().lstrip("+")
        latest.pop(key, None)  # so that the order is that of the last ones
        latest[key] = override
    searched = [o for o in latest.values() if o.is_sweep_override()]
    if not searched:
        raise UserError("nothing to search; give some key several values: a,b or range(0,4) or interval(0,1)")
    fixed = [str(o.input_line) for o in latest.values() if not o.is_sweep_override()]
    return {o.get_key_element(): _distribution(o) for o in searched}, fixed


def _distribution(override: Override) -> BaseDistribution:
    """What one override lets a study draw.

    An interval has both its ends; int(interval(…)) has whole numbers. A range lacks its stop, as in Hydra.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    log = _log(override, getattr(sweep, "tags", set()))
    try:
        if override.is_interval_sweep():
            low, high = sweep.start, sweep.end
            return IntDistribution(low, high, log) if isinstance(low, int) else FloatDistribution(low, high, log)
        if override.is_choice_sweep():
            return CategoricalDistribution(list(dict.fromkeys(override.sweep_string_iterator())))
        values = sorted(override.sweep_iterator())  # type: ignore[type-var]
        if len(values) < 2:
            return CategoricalDistribution([str(v) for v in values])
        kind = IntDistribution if all(isinstance(v, int) for v in values) else FloatDistribution
        return kind(values[0], values[-1], step=abs(sweep.step))  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from None


def _log(override: Override, tags: set[str]) -> bool:
    if tags and not (tags == {"log"} and override.is_interval_sweep()):
        raise UserError(f"{override.input_line}: allowed: tag(log,interval(…)) and no other tag")
    return bool(tags)


def described(distribution: BaseDistribution) -> str:
    """A distribution in a few words, the same for the same one."""
    if hasattr(distribution, "choices"):
        return ",".join(str(c) for c in distribution.choices)
    whole: Any = distribution
    step = f" by {whole.step}" if whole.step else ""
    return f"{whole.low} to {whole.high}{step}{' (log)' * whole.log}"


def overrides(params: dict[str, Any]) -> list[str]:
    """Drawn values as overrides."""
    return [f"{key}={value!r}" if isinstance(value, float) else f"{key}={value}" for key, value in params.items()]


def corners(space: Space) -> list[dict[str, Any]]:
    """Points that reach each end and each choice: the first values of all, then each other value of one key alone."""
    ends = {key: _ends(distribution) for key, distribution in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    return [first, *({**first, key: value} for key, values in ends.items() for value in values[1:])]


def points(space: Space) -> dict[str, list[Any]]:
    """Every value of each key.

    Raises: UserError: a key has endlessly many.
    """
    return {key: _points(key, distribution) for key, distribution in space.items()}


def _ends(distribution: BaseDistribution) -> list[Any]:
    whole: Any = distribution
    return list(whole.choices) if hasattr(whole, "choices") else list(dict.fromkeys([whole.low, whole.high]))


def _points(key: str, distribution: BaseDistribution) -> list[Any]:
    whole: Any = distribution
    if hasattr(whole, "choices"):
        return list(whole.choices)
    if whole.step is None or whole.log:
        raise UserError(f"{key}={described(distribution)}: endless; allowed: a list or a range")
    return [whole.low + n * whole.step for n in range(round((whole.high - whole.low) / whole.step) + 1)]
