"""What Hydra needs around the config tree: where it is, its one resolver, and overrides refused before it composes."""

from __future__ import annotations

from pathlib import Path

from equivariance.config import Config
from equivariance.config_errors import keys, unknown
from equivariance.errors import UserError


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


def check(arguments: list[str]) -> None:
    """Checks the keys of all overrides and the options chosen from config groups.

    Args:
        arguments: the command line after the program's name; flags are Hydra's and pass.
    Raises: UserError: an unknown key or option, or an override that does not parse.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    if any(a.startswith(("--config", "-cd", "-cp", "-cn", "-sc", "--shell-completion")) for a in arguments):
        return  # another config tree: Hydra finds its groups; the composed config is validated all the same
    overrides = [a for a in arguments if not a.startswith("-") and "=" in a]
    known = keys(Config)
    for override in OverridesParser.create().parse_overrides(overrides):
        key = override.key_or_group
        if key.partition(".")[0] == "hydra" or key.startswith("hydra/"):
            continue
        options = {f.stem for f in (conf_dir() / key).glob("*.yaml")} if "." not in key else set()
        if options:
            _check_option(key, override.value(), override.is_sweep_override(), options)
        elif key not in known:
            raise UserError(f"{override.input_line}: {unknown(key, known)}")


def _check_option(group: str, value: object, is_sweep: bool, options: set[str]) -> None:
    chosen = getattr(value, "list", None) if is_sweep else [value]
    for option in chosen or []:
        if str(getattr(option, "text", option)) not in options:
            raise UserError(f"{group}={option}: no such choice; allowed: {', '.join(sorted(options))}")
