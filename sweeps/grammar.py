"""Overrides in Hydra's grammar, each refused by name where it does not parse or an axis of it has no values."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from sweeps.errors import UserError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override

# Runs that a grid may have: all are composed and checked before the first one.
MOST = 1_000_000


def parse(text: str, loader: ConfigLoader | None = None) -> Override:
    """Reads an override.

    Args:
        text: without the shell's quotes.
        loader: knows the options of config groups, for `glob`.
    Raises: UserError: it does not parse; one line that names it and says how to quote its value.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create(loader).parse_overrides([text])[0]
    except (HydraException, ValueError, TypeError, OverflowError, RecursionError) as error:  # of its functions too
        reason = str(error).partition("\nSee https:")[0].replace(text, "").replace("LexerNoViableAltException:", "")
    said = " ".join(reason.replace("^", "").replace("Error parsing override ''", "").split())
    raise UserError(f"{text}: cannot be read{f' ({said})' if said else ''}; {_remedy(text)}")


def runs(axes: Sequence[Override]) -> int:
    """How many runs a grid has.

    Args:
        axes: all overrides of a multirun, those with one value among them.
    Raises: UserError: an axis has no value or cannot be walked, or there are too many; one line that names it.
    """
    total = 1
    for axis in (a for a in axes if a.is_sweep_override()):
        if not axis.is_discrete_sweep():
            raise UserError(f"{axis.input_line}: allowed with hydra/sweeper=optuna; a grid wants single values")
        total *= _count(axis)
        if not total:
            raise UserError(f"{axis.input_line}: it has no value")
        if total > MOST:
            raise UserError(f"{axis.input_line}: makes more than {MOST} runs, which is the most that is allowed")
    return total


def _count(axis: Override) -> int:
    try:
        return sum(1 for _ in islice(axis.sweep_iterator(), MOST + 1))
    except (ValueError, TypeError) as error:  # a step of 0, say
        raise UserError(f"{axis.input_line}: {error}") from None


def _remedy(text: str) -> str:
    """How to type a value that has signs of the grammar in it."""
    key, sign, value = text.partition("=")
    for mark in "\"'":
        quoted = f"{key}={mark}{value.replace(mark, chr(92) + mark)}{mark}"
        if sign and _text(quoted) == value:
            return f"a value with special signs wants quotes: {shlex.quote(quoted)}"
    return "allowed: KEY=VALUE"


def _text(override: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(override).value()
    except HydraException:
        return None
