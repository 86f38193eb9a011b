"""The runs that a sweep file stands for, composed and identified as the sweep itself would, without launching it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from hydra_plugins.equivariance_sweeps.local import composed


def identities(sweep: str, choices: Sequence[Sequence[str]], numbers: Sequence[dict[str, float]]) -> list[list[str]]:
    """The identities of cells of a sweep file.

    Numbers are laid over the composed config, which costs a thousandth of composing: no value of conf/ is computed from
    another number.

    Args:
        sweep: name of the file; contents of paths that it names are not looked at.
        choices: the overrides of each choice on the axes that are no numbers.
        numbers: the values on the other axes, by dotted key.
    Returns: For each choice the identities with each of the numbers; empty text where the config refuses them.
    """
    from equivariance.overrides import conf_dir, register_protocol

    register_protocol()
    with _aside(), initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("config", [f"+sweep={sweep}"], RunMode.MULTIRUN)
        bases = composed(loader, master, [[f"+sweep={sweep}", *choice] for choice in choices])
    return [list(_identified(OmegaConf.to_container(base, resolve=True), numbers)) for base in bases]


@contextmanager
def _aside() -> Iterator[None]:
    """Puts what Hydra holds for this process aside as long as the block runs."""
    state = GlobalHydra.instance()
    kept, state.hydra = state.hydra, None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = kept


def _identified(values: dict, numbers: Iterable[dict[str, float]]) -> Iterable[str]:
    from equivariance.config import scientific, validate
    from equivariance.errors import UserError
    from sweeps.identity import identity

    for point in numbers:
        for key, number in point.items():
            *sections, last = key.split(".")
            section = values
            for name in sections:
                section = section[name]
            section[last] = number
        try:
            yield identity(scientific(validate(values), {}))
        except UserError:
            yield ""
