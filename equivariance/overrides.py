"""What Hydra needs around the config tree: where it is, its one resolver, and overrides refused before it composes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equivariance.config import Config
from equivariance.config_errors import keys, unknown
from equivariance.errors import UserError
from sweeps.grammar import parse

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def conf_dir() -> Path:
    """The config tree: beside the package in a checkout, inside it in an installed wheel."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "conf"


def register_protocol() -> None:
    """Gives meaning to ${protocol:A,B} in the config tree: A under protocol=paper, B under protocol=released."""
    from omegaconf import Container, OmegaConf

    def choose(paper: object, released: object, *, _root_: Container) -> object:
        return released if OmegaConf.select(_root_, "protocol") == "released" else paper

    OmegaConf.register_new_resolver("protocol", choose, replace=True)


def check(overrides: list[str], elsewhere: bool = False) -> None:
    """Checks the grammar and the keys of all overrides, and the options chosen from config groups.

    Args:
        overrides: as typed, without flags.
        elsewhere: with another config tree, whose keys and groups Hydra finds; the composed config is validated all
            the same.
    Raises: UserError: an unknown key or option, or an override that does not parse.
    """
    known, sweeps = keys(Config), 0
    for override in map(parse, overrides):
        key = override.key_or_group
        sweeps += key == "sweep"
        if sweeps > 1 or (key == "sweep" and (override.is_sweep_override() or isinstance(override.value(), list))):
            raise UserError(f"{override.input_line}: allowed: one sweep file at a time")
        if not elsewhere and key.partition(".")[0] != "hydra" and not key.startswith("hydra/"):
            _check_key(override, known)


def _check_key(override: Override, known: list[str]) -> None:
    key = override.key_or_group
    options = {f.stem for f in (conf_dir() / key).glob("*.yaml")} if key and "." not in key else set()
    if not options and key not in known:
        raise UserError(f"{override.input_line}: {unknown(key, known)}")
    if override.is_delete():
        other = f"{key}=" + " | ".join(sorted(options)) if options else f"{key}=VALUE"
        raise UserError(f"{override.input_line}: a run needs every key; allowed: {other}")
    if options:
        _check_option(key, override.value(), override.is_sweep_override(), options)


def _check_option(group: str, value: object, is_sweep: bool, options: set[str]) -> None:
    chosen = getattr(value, "list", None) if is_sweep else [value]
    for option in chosen or []:
        if str(getattr(option, "text", option)) not in options:
            raise UserError(f"{group}={option}: no such choice; allowed: {', '.join(sorted(options))}")
