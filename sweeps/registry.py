"""What a researcher may bring, by name: experiments, data sets, convolution types. No heavy import here.

The package's own stand in its entry points, and so do those of any other package that is installed; a module of one's
own, named by `import=[mylab]`, registers when it is imported.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Generic, TypeVar

from sweeps.errors import UserError

T = TypeVar("T")


class Registry(Generic[T]):
    """Things by name, of which those of installed packages are imported when they are first asked for.

    Args:
        group: of entry points, which name them in installed packages.
        known: those that are there from the start.
    """

    def __init__(self, group: str, known: dict[str, T] | None = None) -> None:
        self._group, self._known = group, dict(known or {})

    def add(self, name: str, thing: T) -> T:
        """Registers a thing; under a name that is taken it is the new one.

        Raises: UserError: the name cannot stand in a config.
        """
        if not name.replace("-", "_").isidentifier():
            raise UserError(f"{name}: no name for a config; allowed: letters, digits, _ and -")
        self._known[name] = thing
        return thing

    def names(self) -> list[str]:
        """All of them, the package's own first."""
        return list(dict.fromkeys([*_installed(self._group), *self._known]))

    def get(self, name: str) -> T:
        """One of them.

        Raises: KeyError: there is none of that name.
        """
        if name not in self._known:
            self._known[name] = _installed(self._group)[name].load()
        return self._known[name]


@cache
def _installed(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def resolved(reference: Any) -> Any:
    """A thing, or what a text `module:name` refers to, imported now."""
    return resolve_name(reference) if isinstance(reference, str) else reference


def look_here() -> None:
    """Has modules found in the working folder, as `python -m` does, for console scripts and workers too."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def load(modules: list[str]) -> None:
    """Imports the modules of `import=[…]`, from the working folder too.

    Raises: UserError: a module is not there, or fails; names it.
    """
    if modules:
        look_here()
    for module in modules:
        if not all(part.isidentifier() for part in module.split(".")):
            raise UserError(f"import={module}: allowed: names of modules, with dots between packages")
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # other people's code: it may fail in any way
            said = f"{type(error).__name__}: {error}" if not isinstance(error, ModuleNotFoundError) else str(error)
            said = " ".join(said.split())[:200]
            raise UserError(
                f"import={module}: cannot be imported ({said}); allowed: modules of this folder, or installed"
            ) from error
