"""What Hydra needs around the config tree: where it is, its one resolver, and overrides refused before it composes."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equivariance.config.refusals import keys, unknown
from equivariance.errors import UserError
from sweeps.experiments import EXPERIMENTS, schema
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


def known_keys() -> list[str]:
    """Every key that a run of some registered experiment has."""
    return list(dict.fromkeys(key for name in EXPERIMENTS.names() for key in keys(schema(name))))


def modules(overrides: list[str]) -> list[str]:
    """The modules that `import=[…]` names on the command line."""
    named = [o.value() for o in map(parse, overrides) if o.key_or_group == "import" and not o.is_delete()]
    return [str(m) for value in named for m in (value if isinstance(value, list) else [value])]


def check(overrides: list[str], folder: str | None = None) -> None:
    """Checks the grammar and the keys of all overrides, and the options chosen from config groups.

    Args:
        overrides: as typed, without flags.
        folder: a config folder of one's own, given by --config-dir.
    Raises: UserError: an unknown key or option, or an override that does not parse.
    """
    known, sweeps = known_keys(), 0
    tree = Tree(overrides, folder)
    for override in map(parse, overrides):
        key = override.key_or_group
        if key == "hydra.searchpath":
            _check_path(override)
        sweeps += key == "sweep"
        if sweeps > 1 or (key == "sweep" and (override.is_sweep_override() or isinstance(override.value(), list))):
            raise UserError(f"{override.input_line}: allowed: one sweep file at a time")
        if key.partition(".")[0] != "hydra" and not key.startswith("hydra/"):
            _check_key(override, known, tree)


def composed(overrides: list[str], sections: tuple[str, ...], allowed: str) -> Any:
    """The config of a run with these overrides, for commands that use some of its sections.

    Args:
        overrides: as typed.
        sections: first parts of the keys that may be among them.
        allowed: in words, for the refusal of others.
    Returns: The checked config, a `Run`.
    Raises: UserError: another key, an unknown one, or a value out of range.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from equivariance.config import validate

    foreign = [o for o in overrides if o.partition("=")[0].partition(".")[0] not in sections]
    if foreign:
        raise UserError(f"{foreign[0]}: allowed: {allowed}")
    register_protocol()
    check(overrides)
    try:
        with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
            plain = OmegaConf.to_container(compose("config", overrides), resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(" ".join(str(error).split())) from error
    return validate(plain)  # type: ignore[arg-type]


def _check_path(override: Override) -> None:
    """Folders that Hydra would leave out with a warning."""
    value = override.value()
    for entry in value if isinstance(value, list) else [value]:
        folder = str(entry).removeprefix("file://")
        if "://" not in folder and not Path(folder).is_dir():
            raise UserError(f"{override.input_line}: {folder}: no such folder")


class Tree:
    """The config tree as Hydra will see it, folders of one's own included; read when it is first asked.

    Args:
        overrides: as typed; `hydra.searchpath` among them counts.
        folder: of --config-dir.
    """

    def __init__(self, overrides: list[str], folder: str | None) -> None:
        self._overrides = [o for o in overrides if o.lstrip("+").startswith("hydra.searchpath")]
        self._folder = folder
        self.options = cache(self._options)

    def _options(self, group: str) -> list[str]:
        """The choices of a config group; none where there is no such group."""
        from hydra.errors import HydraException

        try:
            return list(self._repository.get_group_options(group))
        except HydraException as error:
            raise UserError(" ".join(str(error).split())) from error

    @cached_property
    def _repository(self) -> Any:
        from hydra._internal.config_loader_impl import ConfigLoaderImpl
        from hydra._internal.utils import create_config_search_path
        from hydra.core.plugins import Plugins

        Plugins.instance()  # which add what the launchers and sweepers bring
        path = create_config_search_path(str(conf_dir().resolve()))
        if self._folder:
            if not Path(self._folder).is_dir():
                raise UserError(f"--config-dir={self._folder}: no such folder")
            path.append("command-line", f"file://{Path(self._folder).absolute()}")
        loader = ConfigLoaderImpl(path)
        parsed, repository = loader._parse_overrides_and_create_caching_repo("config", self._overrides)
        loader._process_config_searchpath("config", parsed, repository)
        return repository


def _check_key(override: Override, known: list[str], tree: Tree) -> None:
    key = override.key_or_group
    options = tree.options(key) if key and "." not in key else []
    if not options and key not in known and not _open(key, known):
        raise UserError(f"{override.input_line}: {unknown(key, known)}")
    if override.is_delete():
        other = f"{key}=" + " | ".join(sorted(options)) if options else f"{key}=VALUE"
        raise UserError(f"{override.input_line}: a run needs every key; allowed: {other}")
    if options:
        _check_option(key, override.value(), override.is_sweep_override(), options)


def _open(key: str, known: list[str]) -> bool:
    """Whether a key lies in a section whose keys are the user's own."""
    return key.startswith("arch.kwargs.") and "arch.kwargs" in known


def _check_option(group: str, value: object, is_sweep: bool, options: list[str]) -> None:
    chosen = getattr(value, "list", None) if is_sweep else [value]
    for option in chosen or []:
        if str(getattr(option, "text", option)) not in options:
            raise UserError(f"{group}={option}: no such choice; allowed: {', '.join(sorted(options))}")
