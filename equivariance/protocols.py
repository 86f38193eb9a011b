"""What each protocol implies: read off the config tree, where `${protocol:PAPER,RELEASED}` says it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from equivariance.overrides import conf_dir

if TYPE_CHECKING:
    from equivariance.config import Run

CHOICE = re.compile(r"\$\{protocol:([^,]*),([^}]*)\}")


class Implied(NamedTuple):
    """One value that the protocol decides.

    Args:
        section: of the config.
        name: of the section that has it; None: any of those with the key.
        key: in the section.
        values: under each protocol.
        beside: keys that the section has where the file is part of it.
    """

    section: str
    name: str | None
    key: str
    values: dict[str, Any]
    beside: frozenset[str]


@cache
def _all() -> tuple[Implied, ...]:
    found = []
    for path in sorted(conf_dir().glob("*/*.yaml")):
        content = yaml.safe_load(path.read_text()) or {}
        shared = path.parent.name == "shared"
        for key, value in content.items():
            both = CHOICE.fullmatch(value) if isinstance(value, str) else None
            if both:
                values = dict(zip(("paper", "released"), map(yaml.safe_load, both.groups()), strict=True))
                # What files share is called by their section, and perhaps by whose it is: conv_of_videos.
                section, _, whose = path.stem.partition("_of_") if shared else (path.parent.name, "", "")
                name = None if shared else content.get("name")
                found.append(Implied(section, name, key, values, frozenset(content if whose else {key})))
    return tuple(found)


@cache
def _plain(section: str, name: str) -> dict[str, Any]:
    """What the file of a choice, and the files that it begins with, set whatever the protocol."""
    path = conf_dir() / section / f"{name}.yaml"
    content = yaml.safe_load(path.read_text()) if path.is_file() else {}
    # Dicts are choices of other sections, and what goes elsewhere than here is of another, too.
    parts = [each.partition("@")[::2] for each in content.pop("defaults", []) if isinstance(each, str)]
    first = [base for base, place in parts if base != "_self_" and place in ("", "_here_")]
    fixed: dict[str, Any] = {}
    for base in first:
        shared = base.startswith("/shared/")
        fixed |= _plain("shared" if shared else section, base.removeprefix("/shared/"))
    fixed |= {"_of": next((base for base in first if not base.startswith("/")), None)}
    chosen = {key for key, value in content.items() if isinstance(value, str) and CHOICE.fullmatch(value)}
    own = {key: value for key, value in content.items() if key not in chosen | {"name"}}
    return {key: value for key, value in fixed.items() if key not in chosen} | own


def implied(config: Run) -> dict[str, Any]:
    """What its protocol would have for each of a run's values that a protocol decides, by dotted key.

    A table shows such a value only where a run deviates from it. `protocol` itself is among them: the paper's.
    """
    values, found = config.plain(), {"protocol": "paper"}
    for each in _all():
        section = values[each.section]
        own = _plain(each.section, section["name"])
        named = each.name in (None, section["name"], own.get("_of"))
        if named and each.beside <= section.keys() and each.key not in own:
            found[f"{each.section}.{each.key}"] = each.values[config.protocol]
    return found
