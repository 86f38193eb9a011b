"""The command line before Hydra reads it: flags that do not go together are refused, and --cfg goes with -m."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from equivariance.errors import UserError
from equivariance.overrides import check, modules
from sweeps.grammar import parse
from sweeps.registry import load

# Flags of Hydra of which each asks for something else.
MODES = ("run", "multirun", "cfg", "info")


def read(arguments: list[str]) -> list[str]:
    """The command line as Hydra is to read it: flags in full, then the overrides.

    Of a sweep --cfg and --info show what its runs share: -m and the axes are left out, which a line says.

    Args:
        arguments: after the program's name.
    Raises: UserError: flags that do not go together, a wrong key or choice, or an override that does not parse.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    flags = parser.parse_intermixed_args(arguments)
    if flags.shell_completion or flags.help or flags.hydra_help:
        return arguments
    if flags.experimental_rerun is not None:
        raise UserError("--experimental-rerun: reads a pickle; the same command again reuses what is finished")
    for name in ("config_path", "config_name"):
        if getattr(flags, name):
            raise UserError(f"--{name.replace('_', '-')}: the run's tree is this product's; --config-dir adds to it")
    load(modules(flags.overrides))
    check(flags.overrides, flags.config_dir)
    if flags.multirun and (flags.cfg or flags.info):
        flags.multirun, flags.overrides = False, _shared(flags.overrides)
    asked = [f"--{name}" for name in MODES if getattr(flags, name)]
    if len(asked) > 1:
        raise UserError(f"{' '.join(asked)}: allowed: one of them")
    if flags.resolve and not flags.cfg:
        raise UserError("--resolve: allowed with --cfg and --help")
    if asked in ([], ["--run"]) and any(parse(o).key_or_group == "sweep" for o in flags.overrides):
        raise UserError("+sweep=… is a grid of runs; add -m")
    return _typed(flags)


def _shared(overrides: list[str]) -> list[str]:
    swept = [o for o in overrides if parse(o).is_sweep_override()]
    if swept:
        print(f"shown without what is swept: {' '.join(swept)}", file=sys.stderr)
    return [o for o in overrides if o not in swept]


def _typed(flags: Any) -> list[str]:
    given = {f"--{k.replace('_', '-')}": v for k, v in vars(flags).items() if k != "overrides" and v}
    return [flag if value is True else f"{flag}={value}" for flag, value in given.items()] + list(flags.overrides)


def _refuse(message: str) -> NoReturn:
    raise UserError(message)
